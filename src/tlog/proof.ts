import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { completeSubtrees, EMPTY_ROOT, foldRight, HASH_BYTES, nodeHash, type ReadHashes } from './merkle.ts'

/** Leaves `[start, end)`: one hash of a proof is that over them. */
type Range = readonly [start: number, end: number]

/**
 * Proof that leaf `index` is in the tree of `size` leaves: the siblings from the leaf up (RFC 9162 section 2.1.3.1).
 * Throws a RangeError when there is no such leaf.
 */
export function inclusionProof(index: number, size: number, read: ReadHashes): Promise<Buffer[]> {
  requireSizes(index, size - 1)
  const siblings: Range[] = []
  let [start, end] = [0, size]
  while (end - start > 1) {
    const middle = start + splitPoint(end - start)
    siblings.push(index < middle ? [middle, end] : [start, middle])
    if (index < middle) end = middle
    else start = middle
  }
  return readRanges(siblings.reverse(), read)
}

/**
 * Proof that the tree of `from` leaves is the beginning of the tree of `to` leaves (RFC 9162 section 2.1.4.1); empty when
 * there is nothing to prove: from nothing, or to the same size. Throws a RangeError when `from` is larger.
 */
export function consistencyProof(from: number, to: number, read: ReadHashes): Promise<Buffer[]> {
  requireSizes(from, to)
  if (from === 0 || from === to) return Promise.resolve([])
  const ranges: Range[] = []
  let [start, end] = [0, to]
  while (from !== end) {
    const middle = start + splitPoint(end - start)
    ranges.push(from <= middle ? [middle, end] : [start, middle])
    if (from <= middle) end = middle
    else start = middle
  }
  // What is left is a subtree of both. When it is the whole old tree, who checks the proof has its hash already.
  if (start !== 0) ranges.push([start, end])
  return readRanges(ranges.reverse(), read)
}

/** Where a tree divides: the largest power of two below its size, which is at least 2. */
function splitPoint(size: number): number {
  let half = 1
  while (half * 2 < size) half *= 2
  return half
}

/** Hashes of ranges, all read at once. */
async function readRanges(ranges: readonly Range[], read: ReadHashes): Promise<Buffer[]> {
  const parts = ranges.map(([start, end]) => completeSubtrees(start, end))
  const hashes = await read(parts.flat())
  let at = 0
  return parts.map(({ length }) => {
    at += length
    return foldRight(hashes.slice(at - length, at))
  })
}

function requireSizes(smaller: number, larger: number): void {
  if (!Number.isSafeInteger(smaller) || !Number.isSafeInteger(larger) || smaller < 0 || smaller > larger)
    throw new RangeError(`no proof from ${smaller} to ${larger}`)
}

/** A leaf that is said to be in a tree, and its proof. */
export interface Inclusion {
  /** The leaf's hash and position. */
  readonly leaf: Buffer
  readonly index: number
  readonly size: number
  readonly root: Buffer
  readonly proof: readonly Buffer[]
}

/** A step up from a leaf: the sibling that joins, on which side, and the hash over both. */
export interface InclusionStep {
  readonly side: 'left' | 'right'
  readonly sibling: Buffer
  readonly hash: Buffer
}

/**
 * The way up from a leaf that its proof describes; the last hash is that of the root (RFC 9162 section 2.1.3.2). Throws
 * `log_proof_invalid` for a proof of another length than such a leaf has.
 */
export function inclusionSteps({ leaf, index, size, proof }: Omit<Inclusion, 'root'>): InclusionStep[] {
  requireHashes([leaf, ...proof])
  if (!Number.isSafeInteger(index) || !Number.isSafeInteger(size) || index < 0 || index >= size)
    throw invalid(`there is no entry ${index} in a log of ${size}`)
  let [at, last, hash] = [index, size - 1, leaf]
  const steps = proof.map((sibling): InclusionStep => {
    if (last === 0) throw invalid('the proof is too long')
    const side = at % 2 === 1 || at === last ? 'left' : 'right'
    hash = side === 'left' ? nodeHash(sibling, hash) : nodeHash(hash, sibling)
    // levels at which the leaf's part has no sibling
    if (side === 'left') while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)]
    ;[at, last] = [half(at), half(last)]
    return { side, sibling, hash }
  })
  if (last !== 0) throw invalid('the proof is too short')
  return steps
}

/** Checks that a leaf is in a tree. Throws `log_proof_invalid`. */
export function verifyInclusion(inclusion: Inclusion): void {
  const { leaf, root, index, size } = inclusion
  requireHashes([root])
  const hash = inclusionSteps(inclusion).at(-1)?.hash ?? leaf
  if (!hash.equals(root)) throw invalid(`entry ${index} is not in the log of ${size}`)
}

/** Two trees, of which the first is said to be the beginning of the second. */
export interface Consistency {
  readonly from: number
  readonly fromRoot: Buffer
  readonly to: number
  readonly toRoot: Buffer
  readonly proof: readonly Buffer[]
}

/**
 * Checks that a tree is the beginning of another (RFC 9162 section 2.1.4.2). Throws `log_fork` when what was given proves
 * that it is not: the sizes are equal and the roots differ, or the proof belongs to the new tree and shows another root
 * for its beginning. Throws `log_proof_invalid` when it proves nothing.
 */
export function verifyConsistency({ from, fromRoot, to, toRoot, proof }: Consistency): void {
  requireHashes([fromRoot, toRoot, ...proof])
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || from < 0 || from > to)
    throw invalid(`a log of ${to} cannot continue one of ${from}`)
  if (from === 0 || from === to) {
    if (proof.length > 0) throw invalid('the proof should be empty')
    if (from === to && !fromRoot.equals(toRoot)) throw fork(`two logs of ${to} differ`)
    if (from === 0 && !fromRoot.equals(EMPTY_ROOT)) throw fork('the root of an empty log is another')
    return
  }
  const [first, ...rest] = isPowerOfTwo(from) ? [fromRoot, ...proof] : proof
  if (first === undefined || proof.length === 0) throw invalid('the proof is empty')
  let [at, last] = [from - 1, to - 1]
  while (at % 2 === 1) [at, last] = [half(at), half(last)]
  let [oldRoot, newRoot] = [first, first]
  for (const sibling of rest) {
    if (last === 0) throw invalid('the proof is too long')
    if (at % 2 === 1 || at === last) {
      oldRoot = nodeHash(sibling, oldRoot)
      newRoot = nodeHash(sibling, newRoot)
      while (at % 2 === 0 && at !== 0) [at, last] = [at / 2, half(last)]
    } else newRoot = nodeHash(newRoot, sibling)
    ;[at, last] = [half(at), half(last)]
  }
  if (last !== 0) throw invalid('the proof is too short')
  if (!newRoot.equals(toRoot)) throw invalid(`it is not one of the log of ${to}`)
  if (!oldRoot.equals(fromRoot)) throw fork(`the log of ${to} began otherwise than the one of ${from}`)
}

const half = (number: number): number => Math.floor(number / 2)

const isPowerOfTwo = (number: number): boolean => 2 ** Math.round(Math.log2(number)) === number

/** A hash of another length could be another's node: 64 bytes of it would be two children. */
function requireHashes(hashes: readonly Buffer[]): void {
  if (hashes.length > LIMITS.log_proof_hashes + 2) throw invalid('the proof is too long')
  if (hashes.some(({ length }) => length !== HASH_BYTES)) throw invalid('a hash has not 32 bytes')
}

const invalid = (why: string): DomainError => new DomainError('log_proof_invalid', `proof of the log: ${why}`)
const fork = (what: string): DomainError => new DomainError('log_fork', `fork of the log: ${what}`)
