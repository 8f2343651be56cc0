import { attr } from '../../src/kernel/bpf-attr.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { keysOf, lookupElement, possibleCpus } from '../../src/kernel/bpf-map.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'
import { bpf } from '../../src/kernel/libc.ts'

/** BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY and LRU_PERCPU_HASH, linux/bpf.h. */
const PER_CPU = [5, 6, 10]
/** BPF_MAP_TYPE_QUEUE and STACK, linux/bpf.h: they have no keys. */
const KEYLESS = [22, 23]
/**
 * Maps that cannot be listed, or whose values are descriptors that differ from load to load (linux/bpf.h): PROG_ARRAY,
 * ARRAY_OF_MAPS, HASH_OF_MAPS, DEVMAP, CPUMAP, RINGBUF, BLOOM_FILTER.
 */
const OPAQUE = [3, 12, 13, 14, 16, 27, 30]
const BPF_MAP_LOOKUP_AND_DELETE_ELEM = 21

/**
 * A map's keys and values in hexadecimal, by key; the 64-bit words of per-cpu values are summed over all cpus. A queue or
 * stack gives its elements by their order, and is empty afterwards. Of maps that cannot be compared nothing is given.
 */
export function mapContent(map: OpenFile): Record<string, string> {
  const { type, keyBytes, valueBytes } = mapInfo(map)
  if (OPAQUE.includes(type)) return {}
  if (KEYLESS.includes(type))
    return Object.fromEntries(takeAll(map, valueBytes).map((element, order) => [order, element]))
  const perCpu = PER_CPU.includes(type)
  const rounded = Math.ceil(valueBytes / 8) * 8
  const content: [string, string][] = []
  for (const key of keysOf(map, keyBytes)) {
    const value = lookupElement(map, key, perCpu ? rounded * possibleCpus() : valueBytes)
    if (value === undefined) throw new Error('the key is gone')
    content.push([key.toString('hex'), perCpu ? sumOfWords(value, rounded) : value.toString('hex')])
  }
  return Object.fromEntries(content.sort())
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
