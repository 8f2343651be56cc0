import { readObject } from '../../src/elf/bpf-object.ts'
import { mergeFunctionTypes } from '../../src/elf/merge-btf.ts'
import { mapById, updateElement } from '../../src/kernel/bpf-map.ts'
import type { FunctionTypes } from '../../src/kernel/bpf-program.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { loadWithMapIds } from '../../src/kernel/loader.ts'
import { openOriginal } from '../../src/kernel/original.ts'
import { compileDispatcher, compileProgram, type Kind } from './programs.ts'

const XDP = 'xdp'

/** A program loaded as its compiler made it, and its maps by name. */
interface Native extends Disposable {
  readonly program: Fd
  readonly maps: ReadonlyMap<string, Fd>
}

function loadNative(bytes: Buffer, entry: string): Native {
  const open = openOriginal({
    ...{ bytes, entry, hook: XDP, arrayPrograms: [], kernelFunctions: [], variables: [], reuse: new Map() },
  })
  try {
    const types = typesOf(bytes, entry)
    const program = loadWithMapIds({
      name: entry,
      hook: XDP,
      code: open.code,
      license: 'GPL',
      flags: 0,
      types,
    })
    const maps = new Map([...open.maps].map(([name, id]) => [name, mapById(id)]))
    const close = (): void => {
      for (const fd of [program, ...maps.values()]) fd.close()
    }
    return { program, maps, [Symbol.dispose]: close }
  } finally {
    open.close()
  }
}

/** Without the types of its functions the verifier would take global ones for static ones, and see through them. */
function typesOf(bytes: Buffer, entry: string): FunctionTypes {
  const object = readObject(bytes)
  const functions = object.programs.find(({ name }) => name === entry)?.functions ?? []
  const { btf, typeIds } = mergeFunctionTypes(
    functions.map(({ typeId }) => {
      if (object.btf === undefined || typeId === undefined)
        throw new Error(`${entry} has a function without a type`)
      return { btf: object.btf.raw, typeId, makeStatic: false }
    }),
  )
  let slot = 0
  const starts = functions.map(({ slots }) => {
    slot += slots
    return slot - slots
  })
  return { btf, functions: starts.map((start, at) => ({ slot: start, typeId: typeIds[at] ?? 0 })) }
}

const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer)

/** A chain by agreement: each program's array holds the one behind it. The arrays are kept open: closed, they are emptied. */
export function loadCooperative(kinds: readonly Kind[]): { program: Fd; close: () => void } {
  const members = kinds.map((kind) => loadNative(compileProgram(kind, 'cooperative'), 'cooperative'))
  const close = (): void => {
    for (const member of members) member[Symbol.dispose]()
  }
  const [first] = members
  if (first === undefined) throw new Error('a chain has at least one program')
  for (const [at, member] of members.entries()) {
    const [next, array] = [members[at + 1], member.maps.get('next_program')]
    if (array === undefined) throw new Error('the program has no array for its successor')
    if (next !== undefined) updateElement(array, u32(0), u32(next.program.number))
  }
  return { program: first.program, close }
}

/** One program that calls the others. */
export function loadDispatcher(kinds: readonly Kind[]): { program: Fd; close: () => void } {
  const native = loadNative(compileDispatcher(kinds), 'dispatcher')
  return { program: native.program, close: () => native[Symbol.dispose]() }
}
