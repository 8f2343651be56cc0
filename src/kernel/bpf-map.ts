import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { attr } from './bpf-attr.ts'
import { mapInfo } from './bpf-info.ts'
import { Fd, type OpenFile } from './fd.ts'
import { bpf, KernelError } from './libc.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_MAP_CREATE, BPF_MAP_LOOKUP_ELEM, BPF_MAP_UPDATE_ELEM, BPF_MAP_GET_NEXT_KEY] = [0, 1, 2, 4] as const
const BPF_MAP_GET_FD_BY_ID = 14
/** enum bpf_map_type, linux/bpf.h. */
const PERCPU_ARRAY = 6
export const PROG_ARRAY = 3
const NAME_BYTES = 16
const ENOENT = 2

/** Creates a per-cpu array. `valueBytes` is a multiple of 8, at most 32 KiB. Throws KernelError. */
export const createPercpuArray = (name: string, valueBytes: number, entries: number): Fd =>
  createMap(name, PERCPU_ARRAY, valueBytes, entries)

/** Creates an array of programs for tail calls. Throws KernelError. */
export const createProgramArray = (name: string, entries: number): Fd =>
  createMap(name, PROG_ARRAY, 4, entries)

/** Opens a map by its id. Throws KernelError. */
export function mapById(id: number): Fd {
  const result = bpf(BPF_MAP_GET_FD_BY_ID, attr(12, [[0, 'u32', id]]))
  if (result < 0) throw new KernelError(`open map ${id}`, -result)
  return new Fd(result)
}

/** A key or value of 4 bytes. */
export function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

/** Creates a map with keys of 4 bytes. */
function createMap(name: string, type: number, valueBytes: number, entries: number): Fd {
  const request = attr(72, [
    [0, 'u32', type],
    [4, 'u32', 4],
    [8, 'u32', valueBytes],
    [12, 'u32', entries],
  ])
  request.write(name.slice(0, NAME_BYTES - 1), 28)
  const result = bpf(BPF_MAP_CREATE, request)
  if (result < 0) throw new KernelError(`create map ${name}`, -result)
  return new Fd(result)
}

let possible: number | undefined

/** Number of possible cpus: a per-cpu value has one copy for each (not only for those online). */
export function possibleCpus(): number {
  if (possible !== undefined) return possible
  const text = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim() // such as 0-3 or 0,2-7
  const last = Number(text.split(/[-,]/).at(-1))
  possible = Number.isInteger(last) ? last + 1 : availableParallelism()
  return possible
}

/**
 * The value under `key`, or undefined. `valueBytes` is what the kernel writes: for per-cpu maps the value rounded up to
 * 8 bytes, times {@link possibleCpus}. Throws KernelError.
 */
export function lookupElement(map: OpenFile, key: Buffer, valueBytes: number): Buffer | undefined {
  const value = Buffer.alloc(valueBytes)
  const result = bpf(
    BPF_MAP_LOOKUP_ELEM,
    attr(32, [
      [0, 'u32', map.number],
      [8, 'pointer', key],
      [16, 'pointer', value],
    ]),
  )
  if (result === -ENOENT) return undefined
  if (result < 0) throw new KernelError('read a map', -result)
  return value
}

/** Writes `value` under `key`. Throws KernelError. */
export function updateElement(map: OpenFile, key: Buffer, value: Buffer): void {
  const result = bpf(
    BPF_MAP_UPDATE_ELEM,
    attr(32, [
      [0, 'u32', map.number],
      [8, 'pointer', key],
      [16, 'pointer', value],
    ]),
  )
  if (result < 0) throw new KernelError('write a map', -result)
}

/** The keys of a map, `keyBytes` each; a map that changes meanwhile may skip or repeat some. Throws KernelError. */
export function* keysOf(map: OpenFile, keyBytes: number): Generator<Buffer> {
  for (let key: Buffer | undefined; ; ) {
    const next = Buffer.alloc(keyBytes)
    const request = attr(32, [
      [0, 'u32', map.number],
      [16, 'pointer', next],
    ])
    if (key !== undefined) attr(8, [[0, 'pointer', key]]).copy(request, 8)
    const result = bpf(BPF_MAP_GET_NEXT_KEY, request)
    if (result === -ENOENT) return
    if (result < 0) throw new KernelError('list the keys of a map', -result)
    yield next
    key = next
  }
}

/** Element 0 of a per-cpu array, its u64 words summed over all cpus. Throws KernelError. */
export function sumPercpuWords(map: OpenFile): bigint[] {
  const cpus = possibleCpus()
  const { valueBytes } = mapInfo(map) // the kernel writes as much, whatever room there is
  const value = lookupElement(map, Buffer.alloc(4), valueBytes * cpus)
  const words = Array<bigint>(valueBytes / 8).fill(0n)
  if (value === undefined) return words
  for (let cpu = 0; cpu < cpus; cpu++)
    for (let word = 0; word < words.length; word++)
      words[word] = (words[word] ?? 0n) + value.readBigUInt64LE(cpu * valueBytes + word * 8)
  return words
}
