import { describe, expect, test } from 'vitest'
import {
  appendLeaves,
  EMPTY_FRONTIER,
  EMPTY_ROOT,
  frontierRoot,
  leafHash,
  readFrontier,
} from '../../src/tlog/merkle.ts'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../src/tlog/proof.ts'
import { codeOf } from '../attest/craft.ts'
import { naivePath, naiveProof, naiveRoot, nodesOf, randomEntries, randomNumbers } from './naive.ts'

/** The leaves and roots that implementations of RFC 6962 have tested each other with since Certificate Transparency's first. */
const LEAVES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
]
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const bytes = (hex: string): Buffer => Buffer.from(hex, 'hex')
const hex = (hashes: readonly Buffer[]): string[] => hashes.map((hash) => hash.toString('hex'))
const entries = LEAVES.map(bytes)
const read = nodesOf(entries)
const rootAt = (size: number): Buffer => (size === 0 ? EMPTY_ROOT : bytes(ROOTS[size - 1] ?? ''))
const [N01, N23, N45, N4] = [
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  '5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
  '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
  'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
] as const
const [N67, N0123] = [
  'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
  ROOTS[3] ?? '',
] as const

describe('the known trees of eight leaves', () => {
  test('have the known roots', () => {
    expect(frontierRoot(EMPTY_FRONTIER).toString('hex')).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
    let frontier = EMPTY_FRONTIER
    for (const [at, entry] of entries.entries()) {
      frontier = appendLeaves(frontier, [leafHash(entry)]).frontier
      expect(frontierRoot(frontier)).toEqual(rootAt(at + 1))
    }
  })

  test.each([
    [5, 8, [N4, N67, N0123]],
    [2, 3, [N01]],
    [0, 1, []],
  ])('prove leaf %i of %i', async (index, size, hashes) => {
    const proof = await inclusionProof(index, size, read)
    expect(hex(proof)).toEqual(hashes)
    const leaf = leafHash(entries[index] ?? Buffer.alloc(0))
    verifyInclusion({ leaf, index, size, root: rootAt(size), proof })
  })

  test.each([
    [6, 8, [N45, N67, N0123]],
    [2, 5, [N23, N4]],
    [0, 5, []],
    [5, 5, []],
  ])('prove that %i continue to %i', async (from, to, hashes) => {
    const proof = await consistencyProof(from, to, read)
    expect(hex(proof)).toEqual(hashes)
    verifyConsistency({ from, fromRoot: rootAt(from), to, toRoot: rootAt(to), proof })
  })
})

describe('random trees', () => {
  const random = randomNumbers(9162)
  const log = randomEntries(130, random)
  const nodes = nodesOf(log)
  const roots = Array.from({ length: 131 }, (_, size) => naiveRoot(log.slice(0, size)))
  const root = (size: number): Buffer => roots[size] ?? EMPTY_ROOT

  test('have the roots of the definition, in whatever batches they grew', async () => {
    for (let run = 0; run < 50; run++) {
      let frontier = EMPTY_FRONTIER
      while (frontier.size < log.length) {
        const batch = log.slice(frontier.size, frontier.size + Math.ceil(random() * 40))
        frontier = appendLeaves(frontier, batch.map(leafHash)).frontier
        expect(frontierRoot(frontier)).toEqual(root(frontier.size))
        expect(await readFrontier(frontier.size, nodes)).toEqual(frontier)
      }
    }
  })

  test('prove every leaf as by the definition, at every size to 66 and some beyond', async () => {
    for (const size of [...Array.from({ length: 66 }, (_, at) => at + 1), 100, 127, 128, 129, 130])
      for (let index = 0; index < size; index++) {
        const proof = await inclusionProof(index, size, nodes)
        expect(proof).toEqual(naivePath(index, log.slice(0, size)))
        const leaf = leafHash(log[index] ?? Buffer.alloc(0))
        verifyInclusion({ leaf, index, size, root: root(size), proof })
      }
  })

  test('prove every step as by the definition', async () => {
    for (const to of [...Array.from({ length: 66 }, (_, at) => at), 127, 128, 129, 130])
      for (let from = 0; from <= to; from++) {
        const proof = await consistencyProof(from, to, nodes)
        expect(proof).toEqual(from === 0 ? [] : naiveProof(from, log.slice(0, to)))
        verifyConsistency({ from, fromRoot: root(from), to, toRoot: root(to), proof })
      }
  })

  test.each([
    [0, 2],
    [1, 2],
    [6, 7],
    [64, 65],
    [63, 64],
    [77, 130],
  ])('leaf %i of %i is refused with any bit of its proof, leaf or root turned', async (index, size) => {
    const proof = await inclusionProof(index, size, nodes)
    const leaf = leafHash(log[index] ?? Buffer.alloc(0))
    const given = [leaf, root(size), ...proof]
    expect(given.length).toBeGreaterThan(2)
    for (const turned of everyBitTurned(given)) {
      const [leaf = EMPTY_ROOT, root = EMPTY_ROOT, ...proof] = turned
      expect(codeOf(() => verifyInclusion({ leaf, index, size, root, proof }))).toBe('log_proof_invalid')
    }
  })

  test.each([
    [1, 2],
    [3, 4],
    [4, 7],
    [6, 8],
    [64, 130],
    [77, 130],
  ])('the step from %i to %i is refused with any bit turned', async (from, to) => {
    const proof = await consistencyProof(from, to, nodes)
    for (const turned of everyBitTurned([root(from), root(to), ...proof])) {
      const [fromRoot = EMPTY_ROOT, toRoot = EMPTY_ROOT, ...proof] = turned
      expect(codeOf(() => verifyConsistency({ from, fromRoot, to, toRoot, proof }))).toMatch(
        /^log_(proof_invalid|fork)$/,
      )
    }
  })

  test('a proof holds for its own leaf, place and size only', async () => {
    const size = 21
    for (let index = 0; index < size; index++) {
      const proof = await inclusionProof(index, size, nodes)
      const leaf = leafHash(log[index] ?? Buffer.alloc(0))
      const code = (change: object): string =>
        codeOf(() => verifyInclusion({ leaf, index, size, root: root(size), proof, ...change }))
      expect(code({})).toBe('no error')
      for (let other = -1; other <= size; other++)
        if (other !== index) expect(code({ index: other })).toBe('log_proof_invalid')
      for (const change of [
        { index: index + 0.5 },
        { size: 0 },
        { size: Number.NaN },
        { size: 20, root: root(20) },
        { size: 22, root: root(22) },
        { proof: proof.slice(1) },
        { proof: proof.slice(0, -1) },
        { proof: [...proof, EMPTY_ROOT] },
        { proof: [EMPTY_ROOT, ...proof] },
        { proof: [Buffer.concat(proof)] },
        { proof: Array.from({ length: 64 }, () => EMPTY_ROOT) },
        { leaf: Buffer.alloc(0) },
      ])
        expect(code(change)).toBe('log_proof_invalid')
    }
  })

  test('a step is refused with hashes too many, too few, or of another step', async () => {
    for (const [from, to] of [
      [1, 8],
      [5, 9],
      [8, 13],
      [13, 21],
    ] as const) {
      const proof = await consistencyProof(from, to, nodes)
      const code = (change: object): string =>
        codeOf(() =>
          verifyConsistency({ from, fromRoot: root(from), to, toRoot: root(to), proof, ...change }),
        )
      expect(code({})).toBe('no error')
      for (const change of [
        { proof: [] },
        { proof: proof.slice(1) },
        { proof: proof.slice(0, -1) },
        { proof: [...proof, EMPTY_ROOT] },
        { from: to, to: from },
        { from: -1 },
        { from: from + 1, fromRoot: root(from + 1) },
        { to: to + 1, toRoot: root(to + 1) },
        { from: to, fromRoot: root(to) },
        { from: 0, fromRoot: EMPTY_ROOT },
      ])
        expect(code(change)).toBe('log_proof_invalid')
    }
  })

  test('a proof that belongs to the new tree shows a fork; so do two roots of one size', async () => {
    const proof = await consistencyProof(77, 130, nodes)
    const step = { from: 77, fromRoot: root(76), to: 130, toRoot: root(130), proof }
    expect(codeOf(() => verifyConsistency(step))).toBe('log_fork')
    const same = { from: 9, fromRoot: root(9), to: 9, toRoot: root(8), proof: [] }
    expect(codeOf(() => verifyConsistency(same))).toBe('log_fork')
    const empty = { from: 0, fromRoot: root(1), to: 9, toRoot: root(9), proof: [] }
    expect(codeOf(() => verifyConsistency(empty))).toBe('log_fork')
  })

  test('a proof of a tree that is shorter or taller than claimed is refused, though its hashes lead to the root', async () => {
    const [zero, one] = log.slice(0, 2).map(leafHash)
    if (zero === undefined || one === undefined) throw new Error('no leaves')
    const taller = { leaf: one, index: 0, size: 1, root: root(2), proof: [zero] }
    expect(codeOf(() => verifyInclusion(taller))).toBe('log_proof_invalid')
    expect(codeOf(() => verifyInclusion({ ...taller, index: 1, size: 2 }))).toBe('no error')
    const step = {
      from: 6,
      fromRoot: root(6),
      to: 8,
      toRoot: root(8),
      proof: await consistencyProof(6, 8, nodes),
    }
    expect(codeOf(() => verifyConsistency(step))).toBe('no error')
    expect(codeOf(() => verifyConsistency({ ...step, to: 12 }))).toBe('log_proof_invalid')
  })

  test('there is no proof of what is not there', () => {
    for (const [index, size] of [
      [0, 0],
      [5, 5],
      [-1, 5],
      [0.5, 5],
    ] as const)
      expect(() => inclusionProof(index, size, nodes)).toThrow(RangeError)
    expect(() => consistencyProof(6, 5, nodes)).toThrow(RangeError)
  })

  test('a frontier with a part missing takes no leaf', () => {
    expect(() =>
      appendLeaves({ size: 3, hashes: [root(2)] }, [leafHash(Buffer.alloc(0)), leafHash(Buffer.alloc(0))]),
    ).toThrow(RangeError)
  })
})

function* everyBitTurned(hashes: readonly Buffer[]): Generator<Buffer[]> {
  for (const [at, hash] of hashes.entries())
    for (let bit = 0; bit < hash.length * 8; bit++) {
      const turned = Buffer.from(hash)
      turned.writeUInt8(turned.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      yield hashes.with(at, turned)
    }
}
