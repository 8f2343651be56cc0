import { hash } from 'node:crypto'

/** Bytes of a hash: SHA-256. */
export const HASH_BYTES = 32

/** Root of the tree without leaves: the hash of nothing (RFC 9162 section 2.1.1). */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer')

/** Hash of an entry as a leaf. The prefix keeps an entry from being taken for a node (RFC 9162 section 2.1.1). */
export const leafHash = (entry: Buffer): Buffer =>
  hash('sha256', Buffer.concat([LEAF_PREFIX, entry]), 'buffer')

/** Hash of a node over its two children, of 32 bytes each (RFC 9162 section 2.1.1). */
export function nodeHash(left: Buffer, right: Buffer): Buffer {
  const bytes = Buffer.allocUnsafe(1 + 2 * HASH_BYTES)
  bytes[0] = 1
  left.copy(bytes, 1)
  right.copy(bytes, 1 + HASH_BYTES)
  return hash('sha256', bytes, 'buffer')
}

const LEAF_PREFIX = Buffer.from([0])

/** A complete subtree: that over the leaves from `index * 2^level` to before `(index + 1) * 2^level`. Level 0 is a leaf. */
export interface TreeNode {
  readonly level: number
  readonly index: number
}

/** A complete subtree and its hash. */
export interface HashedNode extends TreeNode {
  readonly hash: Buffer
}

/** Gives the hashes of complete subtrees, in the order asked. */
export type ReadHashes = (nodes: readonly TreeNode[]) => Promise<readonly Buffer[]>

/**
 * All that must be known of a tree to add leaves to it: its size, and the hashes of the complete subtrees it consists of,
 * the largest and leftmost first, one for each bit that is set in the size. Never changed once made.
 */
export interface Frontier {
  readonly size: number
  readonly hashes: readonly Buffer[]
}

/** The tree without leaves. */
export const EMPTY_FRONTIER: Frontier = { size: 0, hashes: [] }

/**
 * Adds leaves to a tree. `nodes` are all complete subtrees that are new, in the order in which they become complete: what
 * a log must store besides its entries (of them, tiles keep levels 0, 8, 16, ...).
 */
export function appendLeaves(
  { size, hashes }: Frontier,
  leaves: readonly Buffer[],
): { frontier: Frontier; nodes: HashedNode[] } {
  const open = [...hashes]
  const nodes: HashedNode[] = []
  for (const [at, leaf] of leaves.entries()) {
    let node: HashedNode = { level: 0, index: size + at, hash: leaf }
    nodes.push(node)
    while (node.index % 2 === 1) {
      const left = open.pop()
      if (left === undefined) throw new RangeError(`a tree of size ${size} has more parts than were given`)
      node = { level: node.level + 1, index: (node.index - 1) / 2, hash: nodeHash(left, node.hash) }
      nodes.push(node)
    }
    open.push(node.hash)
  }
  return { frontier: { size: size + leaves.length, hashes: open }, nodes }
}

/** Root of the tree. */
export const frontierRoot = ({ hashes }: Frontier): Buffer =>
  hashes.length === 0 ? EMPTY_ROOT : foldRight(hashes)

/** The frontier of a tree of `size` leaves whose complete subtrees `read` knows. */
export const readFrontier = async (size: number, read: ReadHashes): Promise<Frontier> => ({
  size,
  hashes: size === 0 ? [] : await read(completeSubtrees(0, size)),
})

/** Joins subtrees, of which each is larger than the next, to the hash over all of them. At least one. */
export const foldRight = (hashes: readonly Buffer[]): Buffer =>
  hashes.reduceRight((right, left) => nodeHash(left, right))

/** The complete subtrees that leaves `start` to before `end` consist of, where `start` is where a subtree of that many begins. */
export function completeSubtrees(start: number, end: number): TreeNode[] {
  const nodes: TreeNode[] = []
  let at = start
  for (let level = Math.floor(Math.log2(end - start)) + 1; level >= 0; level--) {
    const width = 2 ** level
    if (end - at < width) continue
    nodes.push({ level, index: at / width })
    at += width
  }
  return nodes
}
