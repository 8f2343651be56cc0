import { LIMITS } from '../domain/limits.ts'
import { attr } from './bpf-attr.ts'
import { updateElement } from './bpf-map.ts'
import type { OpenFile } from './fd.ts'
import { bpf, KernelError } from './libc.ts'

/** BPF_MAP_UPDATE_BATCH, enum bpf_cmd, linux/bpf.h; since 5.6, for LPM tries since 5.13. */
const BPF_MAP_UPDATE_BATCH = 26
/** What a kernel says that has no batches, or none for this type of map: EINVAL, EOPNOTSUPP, ENOTSUPP (linux/errno.h). */
const NO_BATCH = [22, 95, 524]

/** An element of a map: key and value in the map's own sizes. */
interface MapItem {
  readonly key: Buffer
  readonly value: Buffer
}

/**
 * Writes `content` into a map whose values are not per cpu, in batches where the kernel takes them, else one by one.
 * What was there under other keys stays. Throws KernelError that names the first item refused; items before it are written.
 */
export function fillMap(map: OpenFile, content: readonly MapItem[]): void {
  for (let at = 0; at < content.length; at += LIMITS.map_batch_items) {
    const items = content.slice(at, at + LIMITS.map_batch_items)
    const { written, errno } = updateBatch(map, items)
    if (errno === 0) continue
    const next = at + written
    if (!NO_BATCH.includes(errno)) throw refusal(next, content.length, errno)
    fillOneByOne(map, content, next) // what one update refuses too is refused there
    return
  }
}

/** struct of BPF_MAP_*_BATCH in `union bpf_attr`: keys at 16, values at 24, count at 32 (in and out), map_fd at 36. */
function updateBatch(map: OpenFile, items: readonly MapItem[]): { written: number; errno: number } {
  const COUNT_AT = 32
  const keys = Buffer.concat(items.map(({ key }) => key))
  const values = Buffer.concat(items.map(({ value }) => value))
  const request = attr(56, [
    [16, 'pointer', keys],
    [24, 'pointer', values],
    [COUNT_AT, 'u32', items.length],
    [36, 'u32', map.number],
  ])
  const result = bpf(BPF_MAP_UPDATE_BATCH, request)
  if (result >= 0) return { written: items.length, errno: 0 }
  // a kernel that knows no batches leaves the count as it was sent
  const count = request.readUInt32LE(COUNT_AT)
  return { written: count < items.length ? count : 0, errno: -result }
}

function fillOneByOne(map: OpenFile, content: readonly MapItem[], from: number): void {
  for (const [at, { key, value }] of content.entries()) {
    if (at < from) continue
    try {
      updateElement(map, key, value)
    } catch (error) {
      throw error instanceof KernelError ? refusal(at, content.length, error.errno) : error
    }
  }
}

const refusal = (at: number, count: number, errno: number): KernelError =>
  new KernelError(`fill a map: item ${at + 1} of ${count}`, errno)
