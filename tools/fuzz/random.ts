import { createHash } from 'node:crypto'

/** A source of whole numbers from 0 to below a bound of at most 2^32. */
export type Random = (below: number) => number

const BLOCK_BYTES = 32

/** Numbers from SHA-256 in counter mode: the same seed and stream give the same numbers on any machine. */
export function seededRandom(seed: number, stream: number): Random {
  let block = Buffer.alloc(0)
  let used = BLOCK_BYTES
  let counter = 0
  return (below) => {
    if (used === BLOCK_BYTES) {
      block = createHash('sha256').update(`${seed} ${stream} ${counter++}`).digest()
      used = 0
    }
    used += 4
    return Math.floor((block.readUInt32LE(used - 4) / 2 ** 32) * below)
  }
}

/** One of `items`, which must not be empty. */
export function pick<T>(random: Random, items: readonly T[]): T {
  const item = items[random(items.length)]
  if (item === undefined) throw new Error('nothing to pick from')
  return item
}
