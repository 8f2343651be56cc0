import { expect, test } from 'vitest'
import { CALL_KIND, decodeAt, IMM64_KIND, OP, SLOT_BYTES } from '../../src/bytecode/instruction.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import type { LinkedFunction } from '../../src/elf/programs.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { compileSource } from './chain-entries.ts'
import { loadEntry } from './load-entry.ts'

/** First slots of all functions that the instructions call or take the address of, and the main function's, ascending. */
function startsIn(code: Buffer): number[] {
  const starts = new Set([0])
  for (let at = 0; at < code.length / SLOT_BYTES; at++) {
    const { code: op, src, imm } = decodeAt(code, at)
    const call = op === OP.CALL && src === CALL_KIND.SUBPROGRAM
    const address = op === OP.LD_IMM64 && src === IMM64_KIND.FUNCTION
    if (call || address) starts.add(at + 1 + imm)
    if (op === OP.LD_IMM64) at++
  }
  return [...starts].sort((a, b) => a - b)
}

/** The slot behind each function, laid one behind the other. */
function endsOf(functions: readonly LinkedFunction[]): number[] {
  let end = 0
  return functions.map(({ slots }) => {
    end += slots
    return end
  })
}

const LINKED = {
  first: ['first', 'middle', 'shared', 'leaf', 'each_turn', 'each_slot', 'hidden'],
  second: ['second', 'hidden', 'each_slot', 'middle', 'shared', 'leaf'],
  third: ['third', 'hidden', 'shared', 'leaf'],
}

test('functions come in the order in which they are first named, those that these name at once behind', () => {
  const { programs } = readObject(compileSource('linked'))
  const names = programs.map(({ name, functions }) => [name, functions.map((each) => each.name)])
  expect(Object.fromEntries(names)).toEqual(LINKED)
  const functions = programs.flatMap((program) => program.functions)
  for (const { slots, name } of functions) // else a start does not tell which function it is
    expect([slots, functions.filter((each) => each.slots === slots && each.name !== name)]).toEqual([
      slots,
      [],
    ])
  const entry = programs.find(({ name }) => name === 'first')
  expect(entry?.functions.filter(({ global }) => global).map(({ name }) => name)).toEqual(['first', 'shared'])
  const types = new Set(entry?.functions.map(({ typeId }) => typeId))
  expect([types.size, types.has(undefined)]).toEqual([LINKED.first.length, false])
})

test('functions of an object without BTF have no type', () => {
  const [entry] = readObject(compileSource('calls', { debug: false })).programs
  expect(entry?.functions.map(({ typeId }) => typeId)).toEqual([undefined, undefined, undefined])
})

describeAsRoot('libbpf lays functions where the object’s bytes say', () => {
  test.each([
    ...['first', 'second', 'third'].map((entry) => ['linked', entry] as const),
    ...['calls', 'global', 'depth', 'loop'].map((name) => [name, name] as const),
  ])('%s: %s', (source, entry) => {
    const bytes = compileSource(source)
    const functions = readObject(bytes).programs.find(({ name }) => name === entry)?.functions ?? []
    const loaded = loadEntry(bytes, entry)
    const { code } = loaded
    loaded.close()
    const ends = endsOf(functions)
    expect([0, ...ends.slice(0, -1)]).toEqual(startsIn(code))
    expect(ends.at(-1)).toBe(code.length / SLOT_BYTES)
  })
})
