import { describe, expect, test } from 'vitest'
import { DomainError } from '../../src/domain/errors.ts'
import { auditLog, replayEntries } from '../../src/tlog/audit.ts'
import { decodeBundle, encodeBundle } from '../../src/tlog/entry-bundle.ts'
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, leafHash, readFrontier } from '../../src/tlog/merkle.ts'
import { consistencyProof, inclusionProof, verifyConsistency, verifyInclusion } from '../../src/tlog/proof.ts'
import { newTiles, nodePlace, parseTilePath, tileAt, tilePath } from '../../src/tlog/tile.ts'
import { tileHashReader } from '../../src/tlog/tile-reader.ts'
import { codeOf } from '../attest/craft.ts'
import { naiveRoot, nodesOf, randomEntries, randomNumbers, readFrom, tilesOf } from './naive.ts'

const codeLater = async (act: () => Promise<unknown>): Promise<string> => {
  try {
    await act()
  } catch (thrown) {
    if (thrown instanceof DomainError) return thrown.code
    throw thrown
  }
  return 'no error'
}

describe('paths', () => {
  test.each([
    [{ level: 0, index: 0, width: 256 }, 'tile/0/000'],
    [{ level: 0, index: 273, width: 112 }, 'tile/0/273.p/112'],
    [{ level: 1, index: 1_234_067, width: 256 }, 'tile/1/x001/x234/067'],
    [{ level: 'entries', index: 1000, width: 1 }, 'tile/entries/x001/000.p/1'],
    [{ level: 63, index: 999, width: 255 }, 'tile/63/999.p/255'],
  ] as const)('%j is %s, and back', (tile, path) => {
    expect(tilePath(tile)).toBe(path)
    expect(parseTilePath(path)).toEqual(tile)
  })

  test.each([
    'tile/0/0',
    'tile/0/1000',
    'tile/0/x000/001',
    'tile/0/001/002',
    'tile/0/x001/x002',
    'tile/00/001',
    'tile/64/001',
    'tile/-1/001',
    'tile/0/001.p/0',
    'tile/0/001.p/256',
    'tile/0/001.p/01',
    'tile/0/001.p/',
    'tile/0/x001/x000/x000/x000/x000/x000/000',
    'tile/0/x009/x999/x999/x999/x999/999',
    '/tile/0/001',
    'tile/0/001\n',
    'tile/entries/../000',
    'tile/leaves/000',
  ])('%j is none', (path) => {
    expect(parseTilePath(path)).toBeUndefined()
  })
})

describe('the tiles of a log', () => {
  test('of 70,000 entries are those of the specification’s example', () => {
    const tiles = newTiles(0, 70_000)
    const widths = (level: number | 'entries'): number[] =>
      tiles.filter((tile) => tile.level === level).map(({ width }) => width)
    expect(widths('entries')).toEqual(widths(0))
    expect(widths(0)).toEqual([...Array.from({ length: 273 }, () => 256), 112])
    expect(widths(1)).toEqual([256, 17])
    expect(widths(2)).toEqual([1])
    expect(widths(3)).toEqual([])
  })

  test.each([
    [0, 0, []],
    [0, 1, ['tile/entries/000.p/1', 'tile/0/000.p/1']],
    [7, 7, []],
    [255, 256, ['tile/entries/000', 'tile/0/000', 'tile/1/000.p/1']],
    [256, 257, ['tile/entries/001.p/1', 'tile/0/001.p/1']],
    [
      510,
      513,
      ['tile/entries/001', 'tile/entries/002.p/1', 'tile/0/001', 'tile/0/002.p/1', 'tile/1/000.p/2'],
    ],
    [65_535, 65_536, ['tile/entries/255', 'tile/0/255', 'tile/1/000', 'tile/2/000.p/1']],
  ])('new from %i to %i', (before, size, paths) => {
    expect(newTiles(before, size).map(tilePath)).toEqual(paths)
  })

  test('a tile that would be empty is none, and a node that is not complete has no place', () => {
    expect(tileAt(0, 1, 256)).toBeUndefined()
    expect(tileAt(1, 0, 255)).toBeUndefined()
    expect(tileAt(1, 0, 256)).toEqual({ level: 1, index: 0, width: 1 })
    expect(() => nodePlace({ level: 3, index: 0 }, 7)).toThrow(RangeError)
    expect(nodePlace({ level: 9, index: 1 }, 1024)).toEqual({
      tile: { level: 1, index: 0, width: 4 },
      start: 64,
      end: 128,
    })
  })
})

describe('bundles', () => {
  const entries = [Buffer.alloc(0), Buffer.from('one'), Buffer.alloc(65_535, 2)]
  const bundle = encodeBundle(entries)

  test('hold entries behind their lengths', () => {
    expect(bundle.subarray(0, 7).toString('hex')).toBe(`0000${'0003'}6f6e65`)
    expect(decodeBundle(bundle, 3)).toEqual(entries)
    expect(decodeBundle(encodeBundle([]), 0)).toEqual([])
  })

  test('that are full by now answer for partial ones', () => {
    const full = Array.from({ length: 256 }, (_, at) => Buffer.from([at]))
    expect(decodeBundle(encodeBundle(full), 3)).toEqual(full.slice(0, 3))
    expect(codeOf(() => decodeBundle(encodeBundle([...full, Buffer.alloc(0)]), 256))).toBe('log_malformed')
  })

  test.each([
    ['more entries', bundle, 2],
    ['fewer entries', bundle, 4],
    ['an entry that ends early', bundle.subarray(0, -1), 3],
    ['half a length', Buffer.concat([bundle, Buffer.alloc(1)]), 3],
    ['nothing', Buffer.alloc(0), 1],
  ])('with %s are refused', (_, bytes, width) => {
    expect(codeOf(() => decodeBundle(bytes, width))).toBe('log_malformed')
  })

  test('hold no entry of 64 KiB', () => {
    expect(codeOf(() => encodeBundle([Buffer.alloc(65_536)]))).toBe('too_large')
  })
})

describe('a log read from its tiles', () => {
  const random = randomNumbers(6962)
  const size = 66_000 // a tile at level 2
  const entries = Array.from({ length: size }, (_, at) => Buffer.from(`entry ${at}`))
  const tiles = tilesOf(entries)
  const { frontier } = appendLeaves(EMPTY_FRONTIER, entries.map(leafHash))
  const root = frontierRoot(frontier)

  test('proves its entries and its growth', async () => {
    const read = tileHashReader(size, readFrom(tiles))
    expect(await readFrontier(size, read)).toEqual(frontier)
    for (const index of [0, 1, 255, 256, 65_535, 65_536, size - 1, ...places(size, 20)]) {
      const leaf = leafHash(entries[index] ?? Buffer.alloc(0))
      verifyInclusion({ leaf, index, size, root, proof: await inclusionProof(index, size, read) })
    }
    for (const from of [1, 255, 256, 257, 65_536, size - 1, ...places(size, 5)]) {
      const { frontier } = appendLeaves(EMPTY_FRONTIER, entries.slice(0, from).map(leafHash))
      const proof = await consistencyProof(from, size, read)
      verifyConsistency({ from, fromRoot: frontierRoot(frontier), to: size, toRoot: root, proof })
    }
  })

  test('is asked for each tile once, and at most two a level', async () => {
    const asked: string[] = []
    const read = tileHashReader(size, (path) => {
      asked.push(path)
      return readFrom(tiles)(path)
    })
    await inclusionProof(12_345, size, read)
    expect(new Set(asked).size).toBe(asked.length)
    expect(asked.length).toBeLessThanOrEqual(6)
  })

  test('is the same in full tiles where partial ones are gone', async () => {
    const old = tilesOf(entries.slice(0, 300))
    const served = (path: string): Promise<Buffer> => readFrom(tiles)(path.replace(/\.p\/\d+$/, ''))
    const nodes = [
      { level: 0, index: 299 },
      { level: 5, index: 8 },
    ]
    expect(await tileHashReader(300, served)(nodes)).toEqual(await tileHashReader(300, readFrom(old))(nodes))
    const short = (path: string): Promise<Buffer> => readFrom(old)(path).then((bytes) => bytes.subarray(32))
    expect(await codeLater(() => tileHashReader(300, short)(nodes))).toBe('log_malformed')
  })

  test('is audited, full tiles of the second level too', async () => {
    const head = { size, root }
    expect(await auditLog({ head, readTile: readFrom(tiles) }, () => {})).toEqual(frontier)
    const changed = Buffer.from(tiles.get('tile/1/000') ?? '')
    changed.writeUInt8(changed.readUInt8(0) ^ 1)
    const readTile = readFrom(new Map([...tiles, ['tile/1/000', changed]]))
    expect(await codeLater(() => auditLog({ head, readTile }, () => {}))).toBe('log_mismatch')
  })

  const places = (below: number, count: number): number[] =>
    Array.from({ length: count }, () => 1 + Math.floor(random() * (below - 1)))
})

describe('an audit', () => {
  const random = randomNumbers(17)
  const log = randomEntries(1100, random)

  test.each([0, 1, 2, 255, 256, 257, 511, 512, 1100])('of %i entries gives all of them', async (size) => {
    const entries = log.slice(0, size)
    const head = { size, root: naiveRoot(entries) }
    const taken: Buffer[] = []
    const frontier = await auditLog({ head, readTile: readFrom(tilesOf(entries)) }, (added, index) => {
      expect(index).toBe(taken.length)
      taken.push(...added)
    })
    expect(taken).toEqual(entries)
    expect(frontier).toEqual(await readFrontier(size, nodesOf(entries)))
  })

  test('finds any part of any file that was changed', async () => {
    const head = { size: log.length, root: naiveRoot(log) }
    const tiles = tilesOf(log)
    expect([...tiles.keys()]).toContain('tile/1/000.p/4')
    for (const [path, bytes] of tiles)
      for (const at of [0, bytes.length >> 1, bytes.length - 1]) {
        const changed = Buffer.from(bytes)
        changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
        const readTile = readFrom(new Map([...tiles, [path, changed]]))
        const code = await codeLater(() => auditLog({ head, readTile }, () => {}))
        expect([path, code]).toEqual([path, expect.stringMatching(/^log_(mismatch|malformed)$/)])
      }
  })

  test('finds a root that is not the entries’, and ends with a tile that does not come', async () => {
    const [head, tiles] = [{ size: log.length, root: naiveRoot(log) }, tilesOf(log)]
    const other = { size: log.length, root: naiveRoot(log.slice(1)) }
    expect(await codeLater(() => auditLog({ head: other, readTile: readFrom(tiles) }, () => {}))).toBe(
      'log_mismatch',
    )
    tiles.delete('tile/0/002')
    await expect(auditLog({ head, readTile: readFrom(tiles) }, () => {})).rejects.toThrow('404 tile/0/002')
  })
})

describe('a replay', () => {
  const log = randomEntries(1100, randomNumbers(18))
  const head = { size: log.length, root: naiveRoot(log) }
  const readTile = readFrom(tilesOf(log))
  const frontierAt = (size: number) => readFrontier(size, nodesOf(log))

  test.each([0, 1, 255, 256, 300, 1099, 1100])('from %i gives what is new', async (size) => {
    const taken: Buffer[] = []
    const frontier = await replayEntries({ from: await frontierAt(size), head, readTile }, (added, index) => {
      expect(index).toBe(size + taken.length)
      taken.push(...added)
    })
    expect(taken).toEqual(log.slice(size))
    expect(frontierRoot(frontier)).toEqual(head.root)
  })

  test('of a log that began otherwise, or is shorter, is refused', async () => {
    const others = [...log.slice(0, 299), Buffer.from('another')]
    const from = await readFrontier(300, nodesOf(others))
    expect(await codeLater(() => replayEntries({ from, head, readTile }, () => {}))).toBe('log_mismatch')
    const short = { size: 299, root: naiveRoot(log.slice(0, 299)) }
    const back = { from: await frontierAt(300), head: short, readTile }
    expect(await codeLater(() => replayEntries(back, () => {}))).toBe('log_rollback')
  })
})
