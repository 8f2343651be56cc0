import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import {
  createPercpuArray,
  keysOf,
  lookupElement,
  possibleCpus,
  sumPercpuWords,
  updateElement,
} from '../../src/kernel/bpf-map.ts'
import { KernelError } from '../../src/kernel/libc.ts'
import { describeAsRoot } from '../support/needs-root.ts'

const [VALUE_BYTES, ENTRIES] = [16, 3]
const key = (index: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(index)
  return bytes
}

describeAsRoot('a per-cpu array', () => {
  test('is what was asked for', () => {
    using map = createPercpuArray('a_name_of_more_than_15', VALUE_BYTES, ENTRIES)
    expect(mapInfo(map)).toMatchObject({ type: 6, keyBytes: 4, valueBytes: 16, maxEntries: 3, flags: 0 })
    expect([...keysOf(map, 4)]).toEqual([key(0), key(1), key(2)])
  })

  test('adds its first element up over all cpus, word by word', () => {
    using map = createPercpuArray('sums', VALUE_BYTES, ENTRIES)
    expect(sumPercpuWords(map)).toEqual([0n, 0n])
    const cpus = possibleCpus()
    const values = Buffer.alloc(VALUE_BYTES * cpus)
    for (let cpu = 0; cpu < cpus; cpu++) {
      values.writeBigUInt64LE(BigInt(cpu + 1), cpu * VALUE_BYTES)
      values.writeBigUInt64LE(1n << 40n, cpu * VALUE_BYTES + 8)
    }
    updateElement(map, key(0), values)
    expect(lookupElement(map, key(0), values.length)).toEqual(values)
    expect(lookupElement(map, key(1), values.length)).toEqual(Buffer.alloc(values.length))
    expect(sumPercpuWords(map)).toEqual([BigInt((cpus * (cpus + 1)) / 2), BigInt(cpus) << 40n])
  })

  test('has nothing behind its end, and cannot be written there', () => {
    using map = createPercpuArray('end', VALUE_BYTES, ENTRIES)
    const values = Buffer.alloc(VALUE_BYTES * possibleCpus())
    expect(lookupElement(map, key(ENTRIES), values.length)).toBeUndefined()
    expect(() => updateElement(map, key(ENTRIES), values)).toThrow(KernelError)
  })

  test('is refused when a cpu’s value would be larger than the kernel keeps', () => {
    expect(() => createPercpuArray('large', (32 << 10) + 8, 1)).toThrow(KernelError)
    createPercpuArray('fits', 32 << 10, 1).close()
  })

  test('has a copy for every possible cpu, at least those that are online', () => {
    const online = readFileSync('/proc/cpuinfo', 'utf8').match(/^processor/gm)?.length ?? 1
    expect(possibleCpus()).toBeGreaterThanOrEqual(online)
  })
})
