import { expect, test } from 'vitest'
import { renameMaps } from '../../src/bytecode/body.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { mergeFunctionTypes } from '../../src/elf/merge-btf.ts'
import type { LinkedFunction } from '../../src/elf/programs.ts'
import { attr, cString, textOf } from '../../src/kernel/bpf-attr.ts'
import { mapInfo } from '../../src/kernel/bpf-info.ts'
import { Fd } from '../../src/kernel/fd.ts'
import { addressOf, bpf } from '../../src/kernel/libc.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { loadEntry } from './load-entry.ts'

const [EAGAIN, TRIES] = [11, 10] as const
const [BPF_PROG_LOAD, BPF_BTF_LOAD] = [5, 18] as const // enum bpf_cmd, linux/bpf.h

/** Runs a command whose log's buffer, size and level stand at these offsets; the log when the kernel refuses. */
function withLog(command: number, request: Buffer, [at, size, level]: readonly [number, number, number]): Fd {
  const log = Buffer.alloc(1 << 20)
  request.writeBigUInt64LE(addressOf(log), at)
  request.writeUInt32LE(log.length, size)
  request.writeUInt32LE(1, level)
  let result = bpf(command, request)
  // a signal cuts the verifier's walk short
  for (let tries = 1; result === -EAGAIN && tries < TRIES; tries++) result = bpf(command, request)
  if (result < 0) throw new Error(`errno ${-result}: ${textOf(log)}`)
  return new Fd(result)
}

const loadBtf = (btf: Buffer): Fd =>
  withLog(
    BPF_BTF_LOAD,
    attr(28, [
      [0, 'pointer', btf],
      [16, 'u32', btf.length],
    ]),
    [8, 20, 24],
  )

/** Loads an XDP program with the types of its functions (struct bpf_func_info: first slot, type id). */
function loadWithTypes(
  code: Buffer,
  functions: readonly LinkedFunction[],
  btf: Fd,
  ids: readonly number[],
): Fd {
  const records = Buffer.alloc(functions.length * 8)
  let slot = 0
  for (const [index, { slots }] of functions.entries()) {
    records.writeUInt32LE(slot, index * 8)
    records.writeUInt32LE(ids[index] ?? 0, index * 8 + 4)
    slot += slots
  }
  const license = cString('GPL')
  const request = attr(144, [
    [0, 'u32', 6], // BPF_PROG_TYPE_XDP
    [4, 'u32', code.length / 8],
    [8, 'pointer', code],
    [16, 'pointer', license],
    [72, 'u32', btf.number],
    [76, 'u32', 8],
    [80, 'pointer', records],
    [88, 'u32', functions.length],
  ])
  return withLog(BPF_PROG_LOAD, request, [32, 28, 24])
}

describeAsRoot('the kernel takes merged types', () => {
  const object = (defines: Record<string, string | number>) => {
    const bytes = compileSource('linked', { defines })
    const { btf, programs } = readObject(bytes)
    const functions = programs.find(({ name }) => name === 'first')?.functions ?? []
    if (btf === undefined || functions.length === 0) throw new Error('no types')
    const wanted = functions.map(({ typeId, global }) => {
      if (typeId === undefined) throw new Error('a function has no type')
      return { btf: btf.raw, typeId, makeStatic: !global }
    })
    return { bytes, functions, wanted }
  }

  test('of two objects with functions and structs of the same names, for programs of both', () => {
    const objects = [object({}), object({ leaf: 'other_leaf' }), object({ sum: 'total' })]
    const merged = mergeFunctionTypes(objects.flatMap(({ wanted }) => wanted))
    expect(new Set(merged.typeIds).size).toBe(3 * 7)
    using btf = loadBtf(merged.btf)
    const ids = [...merged.typeIds]
    for (const { bytes, functions } of objects) {
      const own = ids.splice(0, functions.length)
      const loaded = loadEntry(bytes, 'first')
      const fds = new Map([...loaded.maps.values()].map((map) => [mapInfo(map).id, map.number]))
      const code = renameMaps(loaded.code, (id) => fds.get(id) ?? -1)
      try {
        using program = loadWithTypes(code, functions, btf, own)
        expect(program.number).toBeGreaterThan(0)
        // it calls back, which the kernel refuses without types, and with those of other functions
        expect(() => loadWithTypes(code, [], btf, [])).toThrow(/missing btf func_info/)
        const wrong = [...own.slice(1), ...own.slice(0, 1)]
        expect(() => loadWithTypes(code, functions, btf, wrong)).toThrow(/errno (13|22)/) // older kernels follow the types of a global function
      } finally {
        loaded.close()
      }
    }
  })
})
