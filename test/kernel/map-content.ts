import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { keysOf, lookupElement, possibleCpus } from '../../src/kernel/bpf-map.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'

/** BPF_MAP_TYPE_PERCPU_HASH, PERCPU_ARRAY and LRU_PERCPU_HASH, linux/bpf.h. */
const PER_CPU = [5, 6, 10]

/** A map's keys and values in hexadecimal, by key; the 64-bit words of per-cpu values are summed over all cpus. */
export function mapContent(map: OpenFile): Record<string, string> {
  const { type, keyBytes, valueBytes } = mapInfo(map)
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
