import { attr } from '../../src/kernel/bpf-attr.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { keysOf, lookupElement, possibleCpus } from '../../src/kernel/bpf-map.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'
import { bpf, KernelError } from '../../src/kernel/libc.ts'

/** BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY and LRU_PERCPU_HASH, linux/bpf.h. */
const PER_CPU = [5, 6, 10]
/** BPF_MAP_TYPE_QUEUE and STACK, linux/bpf.h: they have no keys. */
const KEYLESS = [22, 23]
/**
 * Maps that cannot be listed, or whose values are descriptors that differ from load to load (linux/bpf.h): PROG_ARRAY,
 * PERF_EVENT_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS, DEVMAP, CPUMAP, XSKMAP, RINGBUF, BLOOM_FILTER.
 */
const OPAQUE = [3, 4, 12, 13, 14, 16, 17, 27, 30]
/** BPF_MAP_TYPE_ARRAY and PERCPU_ARRAY, linux/bpf.h; of those with so many elements, only those that are not zero are shown. */
const ARRAYS = [2, 6]
const LARGE_ARRAY = 4096
const [BPF_MAP_LOOKUP_AND_DELETE_ELEM, BPF_MAP_LOOKUP_BATCH] = [21, 24]

/**
 * A map's keys and values in hexadecimal, by key; the 64-bit words of per-cpu values are summed over all cpus. A queue or
 * stack gives its elements by their order, and is empty afterwards. Of maps that cannot be compared nothing is given.
 */
export function mapContent(map: OpenFile): Record<string, string> {
  const { type, keyBytes, valueBytes, maxEntries } = mapInfo(map)
  if (OPAQUE.includes(type)) return {}
  if (KEYLESS.includes(type))
    return Object.fromEntries(takeAll(map, valueBytes).map((element, order) => [order, element]))
  const perCpu = PER_CPU.includes(type)
  const rounded = Math.ceil(valueBytes / 8) * 8
  const content: [string, string][] = []
  if (ARRAYS.includes(type) && maxEntries >= LARGE_ARRAY) {
    for (const [index, value] of elementsOf(map, maxEntries, perCpu ? rounded * possibleCpus() : rounded))
      content.push([`${index}`, perCpu ? sumOfWords(value, rounded) : value.toString('hex')])
    return Object.fromEntries(content)
  }
  for (const key of keysOf(map, keyBytes)) {
    const value = lookupElement(map, key, perCpu ? rounded * possibleCpus() : valueBytes)
    if (value === undefined) throw new Error('the key is gone')
    content.push([key.toString('hex'), perCpu ? sumOfWords(value, rounded) : value.toString('hex')])
  }
  return Object.fromEntries(content.sort())
}

/** The elements of a large array that are not zero, read at once: in a batch a value takes a multiple of 8 bytes. */
function elementsOf(map: OpenFile, count: number, bytes: number): [number, Buffer][] {
  const [next, keys, values] = [Buffer.alloc(4), Buffer.alloc(4 * count), Buffer.alloc(bytes * count)]
  const request = attr(56, [
    [8, 'pointer', next],
    [16, 'pointer', keys],
    [24, 'pointer', values],
    [32, 'u32', count],
    [36, 'u32', map.number],
  ])
  const result = bpf(BPF_MAP_LOOKUP_BATCH, request)
  const read = request.readUInt32LE(32)
  if (read !== count) throw new KernelError(`read ${count} elements, ${read} of them`, -result)
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length / 4)
  const indexes = new Set<number>()
  for (let at = 0; at < words.length; at++) if (words[at] !== 0) indexes.add(Math.floor((at * 4) / bytes))
  return [...indexes].map((at) => [at, values.subarray(at * bytes, (at + 1) * bytes)])
}

function sumOfWords(value: Buffer, bytes: number): string {
  const sums = Array<bigint>(bytes / 8).fill(0n)
  for (let at = 0; at < value.length; at += 8) {
    const word = (at % bytes) / 8
    sums[word] = (sums[word] ?? 0n) + value.readBigUInt64LE(at)
  }
  return sums.join(' ')
}

/** Takes elements out of a queue or stack until none is left. */
function takeAll(map: OpenFile, valueBytes: number): string[] {
  const elements: string[] = []
  for (;;) {
    const value = Buffer.alloc(valueBytes)
    const request = attr(32, [
      [0, 'u32', map.number],
      [16, 'pointer', value],
    ])
    if (bpf(BPF_MAP_LOOKUP_AND_DELETE_ELEM, request) < 0) return elements
    elements.push(value.toString('hex'))
  }
}
