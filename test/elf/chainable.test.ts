import { describe, expect, test } from 'vitest'
import { ERRORS } from '../../src/domain/errors.ts'
import type { Hook } from '../../src/domain/hook.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { chainObstacles } from '../../src/elf/chainable.ts'
import { describeObject } from '../../src/elf/describe.ts'
import { compileBpf } from '../support/compile-bpf.ts'

const SOURCE = 'test/elf/sources/unchainable.bpf.c'

/** Codes and messages of each program of the source. */
function obstaclesOf(hook: Hook): Record<string, string[]> {
  const object = readObject(compileBpf(SOURCE))
  return Object.fromEntries(
    object.programs.map((program) => [
      program.name,
      chainObstacles(object, program, hook).map(({ code, message }) => `${code}: ${message}`),
    ]),
  )
}

describe('a program cannot be chained', () => {
  const found = obstaclesOf('xdp')
  test.each([
    ['throws', /^chain_exception: it throws exceptions \(bpf_throw\)/],
    ['throws_by_flavour', /^chain_exception: it throws exceptions \(bpf_throw___flavour\)/],
    ['throws_deep', /^chain_exception: /],
    ['asks_device', /^chain_device_bound: .*\(bpf_xdp_metadata_rx_hash, bpf_xdp_metadata_rx_timestamp\)/],
    ['makes_objects', /^chain_local_types: .*\(bpf_obj_drop_impl, bpf_obj_new_impl\)/],
    ['makes_lists', /^chain_local_types: .*\(bpf_list_push_back_impl\)/],
    ['uses_arena', /^chain_arena: it uses an arena \(shared_memory\)/],
  ])('that %s', (name, message) => expect(found[name]).toEqual([expect.stringMatching(message)]))
  test('for each reason by itself', () =>
    expect(found['several']?.map((each) => each.split(':')[0])).toEqual(['chain_exception', 'chain_arena']))
  test('but one that does none of these can', () => {
    for (const name of ['plain', 'calls_back', 'jumps_deep', 'jumps', 'calls_kernel'])
      expect([name, found[name]]).toEqual([name, []])
  })
  test('that asks a device, on XDP only: no other hook has one to ask', () =>
    expect(obstaclesOf('tc-ingress')).toMatchObject({ asks_device: [], throws: [expect.any(String)] }))
})

describe('types of functions', () => {
  // maps need BTF, which has types of functions in .BTF.ext: an object may have the one without the other
  const bytes = compileBpf(SOURCE)
  bytes.write('.BTF.old', bytes.indexOf('.BTF.ext\0'))
  const object = readObject(bytes)
  const codesOf = (name: string): string[] => {
    const program = object.programs.find((each) => each.name === name)
    if (program === undefined) throw new Error(`no program ${name}`)
    return chainObstacles(object, program, 'xdp').map(({ code, message }) => `${code}: ${message}`)
  }
  test('are needed for callbacks, and for tail calls beside subprograms', () => {
    expect(codesOf('calls_back')).toEqual([
      'chain_no_btf: it has callbacks, but no BTF type of calls_back and 1 more',
    ])
    expect(codesOf('jumps_deep')).toEqual([expect.stringMatching(/^chain_no_btf: it has tail calls beside/)])
  })
  test('are not needed for subprograms or tail calls alone', () => {
    for (const name of ['plain', 'jumps', 'calls_kernel']) expect([name, codesOf(name)]).toEqual([name, []])
  })
})

test('a report says of each program whether it chains', () => {
  const { programs } = describeObject(compileBpf(SOURCE), 'a.o')
  const rows = programs.map(({ name, chains, obstacles }) => [name, chains, obstacles.length])
  expect(rows).toContainEqual(['plain', true, 0])
  expect(rows).toContainEqual(['several', false, 2])
  for (const { obstacles } of programs)
    for (const { code } of obstacles) expect(ERRORS[code].kind).toBe('unsupported')
})
