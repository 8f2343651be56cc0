import { verifyMerkleInclusion } from '@sigstore/verify/dist/tlog/merkle.js'
import { expect, test } from 'vitest'
import { EMPTY_ROOT, leafHash } from '../../src/tlog/merkle.ts'
import { inclusionProof, verifyInclusion } from '../../src/tlog/proof.ts'
import { codeOf } from '../attest/craft.ts'
import { naiveRoot, nodesOf, randomEntries, randomNumbers } from './naive.ts'

/** Whether the verifier of Sigstore's clients accepts an entry as one of a log; it works by another algorithm than ours. */
function sigstoreAccepts(entry: Buffer, index: number, size: number, root: Buffer, proof: Buffer[]): boolean {
  const logged = {
    canonicalizedBody: entry,
    inclusionProof: { logIndex: String(index), treeSize: String(size), rootHash: root, hashes: proof },
  } as unknown as Parameters<typeof verifyMerkleInclusion>[0]
  const checkpoint = { logSize: BigInt(size), logHash: root } as Parameters<typeof verifyMerkleInclusion>[1]
  try {
    verifyMerkleInclusion(logged, checkpoint)
    return true
  } catch {
    return false
  }
}

test('Sigstore’s verifier and ours agree on proofs, right and wrong', async () => {
  const random = randomNumbers(27)
  const log = randomEntries(70, random)
  const read = nodesOf(log)
  const verdicts = { accepted: 0, refused: 0 }
  for (let run = 0; run < 600; run++) {
    const below = (most: number): number => Math.floor(random() * most)
    const size = 1 + below(log.length)
    const index = below(size)
    const proof = await inclusionProof(index, size, read)
    // Half of them go wrong in one way: another place, another size, a hash more, less or exchanged.
    const way = below(10)
    const claimed = way === 0 ? below(log.length) : index
    const asSize = way === 1 ? 1 + below(log.length) : size
    if (way === 2) proof.push(EMPTY_ROOT)
    if (way === 3) proof.shift()
    if (way === 4 && proof.length > 0) proof[below(proof.length)] = EMPTY_ROOT
    const [entry = Buffer.alloc(0), root] = [log[index], naiveRoot(log.slice(0, asSize))]
    const ours = codeOf(() =>
      verifyInclusion({ leaf: leafHash(entry), index: claimed, size: asSize, root, proof }),
    )
    expect(ours === 'no error').toBe(sigstoreAccepts(entry, claimed, asSize, root, proof))
    verdicts[ours === 'no error' ? 'accepted' : 'refused']++
  }
  expect(Math.min(verdicts.accepted, verdicts.refused)).toBeGreaterThan(120)
})
