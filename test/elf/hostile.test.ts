import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { LIMITS } from '../../src/domain/limits.ts'
import {
  type CraftedType,
  craftBtf,
  dataSection,
  int,
  KIND,
  pointer,
  struct,
  variable,
  words,
} from './craft-btf.ts'
import {
  type CraftedSymbol,
  code,
  craftElf,
  craftWith,
  INSN,
  relocations,
  SYMBOL,
  TYPE,
} from './craft-elf.ts'

/** Objects as large as are read, each made to cost as much as it can. */
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index))
const btf = (types: readonly CraftedType[]) => ({ name: '.BTF', data: craftBtf(types) })

/** `count` programs that each call all of `subs` subprograms. */
function everyoneCallsEveryone(count: number, subs: number): Buffer {
  const calls = times(subs, () => INSN.call(-1))
  const body = Buffer.concat([...calls, INSN.exit])
  const text = code('.text', ...times(subs, () => INSN.exit))
  const programs = code('xdp', ...times(count, () => body))
  const table = times(count * subs, (index): [number, number, number] => [
    Math.floor(index / subs) * body.length + (index % subs) * 8,
    10,
    1 + (index % subs),
  ])
  const symbols: CraftedSymbol[] = [
    ...times(subs, (index) => ({ name: `s${index}`, section: '.text', value: index * 8, size: 8 })),
    ...times(count, (index) => ({
      name: `p${index}`,
      section: 'xdp',
      value: index * body.length,
      size: body.length,
    })),
  ]
  return craftElf([programs, text, relocations(3, table)], symbols)
}

const cases: [string, () => Buffer, string][] = [
  [
    'the most symbols, each of the longest name',
    () => {
      const name = 'n'.repeat(LIMITS.elf_name_bytes)
      return craftWith(
        [],
        times((1 << 17) - 2, () => ({ name, section: 'xdp', type: SYMBOL.notype, global: false })),
      )
    },
    'accepted',
  ],
  [
    'a string table of one endless name',
    () => {
      const strings = { name: '.long', type: TYPE.strtab, data: Buffer.alloc(7 << 20, 'a') }
      const bytes = craftWith([strings])
      bytes.writeUInt32LE(4, Number(bytes.readBigUInt64LE(40)) + 2 * 64 + 40) // sh_link of .symtab
      return bytes
    },
    'elf_malformed',
  ],
  [
    'a million instructions',
    () => craftWith([], [], code('xdp', Buffer.alloc(8_000_000, INSN.mov))),
    'accepted',
  ],
  [
    'a million distinct helpers',
    () => craftWith([], [], code('xdp', Buffer.concat(times(900_000, INSN.helper)))),
    'elf_too_many',
  ],
  ['programs that all call everything', () => everyoneCallsEveryone(130, 1000), 'accepted'],
  ['more programs that all call everything', () => everyoneCallsEveryone(132, 1000), 'elf_too_many'],
  [
    'more relocations than are read',
    () =>
      craftWith([
        relocations(
          3,
          times((1 << 18) + 1, () => [0, 1, 1]),
        ),
      ]),
    'elf_too_many',
  ],
  [
    'the most variables in a section',
    () =>
      craftWith(
        [{ name: '.data', data: Buffer.alloc(8) }],
        times((1 << 17) - 2, (index) => ({
          name: `v${index}`,
          section: '.data',
          type: SYMBOL.object,
          size: 8,
        })),
      ),
    'accepted',
  ],
  [
    'a section described 600,000 times over',
    () =>
      craftWith([btf([variable('v', 0), { ...dataSection('.data', []), count: 0 }, ...wideSections(10)])]),
    'accepted',
  ],
  [
    'types that name each other in one long chain',
    () => craftWith([btf(times(1 << 17, (index) => ({ kind: KIND.typedef, sizeOrType: index })))]),
    'accepted',
  ],
  [
    'structs of the most members',
    () => craftWith([btf([int(4), ...times(9, () => struct(4, wide()))])]),
    'accepted',
  ],
  [
    'the most maps, each a tower of inner maps',
    () => {
      // 1 u32, 2 and 3 its number, then 32 maps: a struct, a pointer to it and an array of such
      const tower = times(32, (level): CraftedType[] => [
        struct(64, [['type', 3, 0], ...(level === 0 ? [] : [['values', 3 + level * 3, 0] as const])]),
        pointer(4 + level * 3),
        { kind: KIND.array, extra: [5 + level * 3, 1, 0] },
      ]).flat()
      const top = 4 + 31 * 3
      const types = [int(4), { kind: KIND.array, extra: [1, 1, 1] }, pointer(2), ...tower]
      const maps = times(LIMITS.elf_maps, (index) => variable(`m${index}`, top))
      const all = [
        ...types,
        ...maps,
        dataSection(
          '.maps',
          times(maps.length, (at) => types.length + 1 + at),
        ),
      ]
      const symbols = times(maps.length, (index) => ({
        name: `m${index}`,
        section: '.maps',
        type: SYMBOL.object,
        value: index,
        size: 0,
      }))
      return craftWith([{ name: '.maps', data: Buffer.alloc(4096) }, btf(all)], symbols)
    },
    'accepted',
  ],
  [
    'variables whose types lie behind the most typedefs',
    () => {
      const count = 65_000
      const chain = times(32, (index) => ({ kind: KIND.typedef, sizeOrType: index + 1 }))
      const variables = times(count, (index) => variable(`v${index}`, 33))
      const section = dataSection(
        '.data',
        times(count, (index) => 34 + index),
      )
      const symbols = times(count, (index) => ({
        name: `v${index}`,
        section: '.data',
        type: SYMBOL.object,
        size: 4,
      }))
      const data = { name: '.data', data: Buffer.alloc(4) }
      return craftWith([data, btf([int(4), ...chain, ...variables, section])], symbols)
    },
    'accepted',
  ],
  [
    'the most CO-RE relocations',
    () => {
      const records = times(500_000, () => [0, 1, 1, 0]).flat()
      const table = words([16, 1, 500_000, ...records])
      const header = words([0x0001eb9f, 32, 0, 0, 0, 0, 0, table.length])
      const types = craftBtf([{ ...int(4), name: 'xdp' }])
      return craftWith([
        { name: '.BTF', data: types },
        { name: '.BTF.ext', data: Buffer.concat([header, table]) },
      ])
    },
    'accepted',
  ],
  [
    'the most sections of variables',
    () =>
      craftWith(
        times(LIMITS.elf_sections - 5, (index) => ({ name: `.data.${index}`, data: Buffer.alloc(1) })),
      ),
    'accepted',
  ],
]

const wide = () => times(65_535, () => ['m', 1, 0] as const)
const wideSections = (count: number): CraftedType[] =>
  times(count, (index) => ({
    ...dataSection(
      `.x${index}`,
      times(60_000, () => 1),
    ),
  }))

/** What a fresh process says of the object in a file: outcome, milliseconds of a processor, and the most memory that it ever held. */
const READER = `
import { readFileSync } from 'node:fs'
import { describeObject } from '${new URL('../../src/elf/describe.ts', import.meta.url)}'
const bytes = readFileSync(process.argv[1])
const start = process.cpuUsage()
let outcome = 'accepted'
try { describeObject(bytes, 'hostile.o') } catch (error) { outcome = error.code ?? String(error) }
const { user, system } = process.cpuUsage(start)
const spent_ms = (user + system) / 1000
console.log(JSON.stringify({ outcome, spent_ms, rss_bytes: process.resourceUsage().maxRSS * 1024 }))
`
const Answer = z.strictObject({ outcome: z.string(), spent_ms: z.number(), rss_bytes: z.number() })

/** What would be a hang on any machine; the fuzzer has the tighter bound of a second, on one that is not busy. */
const HANG_MS = 5000

describe('an object made to be expensive is read without a hang and within 512 MiB', () => {
  const folder = mkdtempSync(`${tmpdir()}/hookline-hostile-`)
  afterAll(() => rmSync(folder, { recursive: true }))
  const read = (file: string) => {
    const run = spawnSync(process.execPath, ['--input-type=module', '--eval', READER, file], {
      encoding: 'utf8',
    })
    if (run.status !== 0) throw new Error(`the reader ended with ${run.signal ?? run.status}: ${run.stderr}`)
    return Answer.parse(JSON.parse(run.stdout))
  }
  test.each(cases)('%s', (_, make, outcome) => {
    const bytes = make()
    expect(bytes.length).toBeLessThanOrEqual(LIMITS.file_bytes)
    const file = `${folder}/object.o`
    writeFileSync(file, bytes)
    const answer = read(file)
    expect(answer.outcome).toBe(outcome)
    expect(answer.spent_ms).toBeLessThan(HANG_MS)
    expect(answer.rss_bytes).toBeLessThan(512 << 20)
  })
})
