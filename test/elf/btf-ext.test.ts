import { describe, expect, test } from 'vitest'
import { readObject } from '../../src/elf/bpf-object.ts'
import { readBtfExt } from '../../src/elf/btf-ext.ts'
import { readBtf } from '../../src/elf/btf-types.ts'
import { expectRefusal } from './codes.ts'
import { craftBtf, int, KIND, words } from './craft-btf.ts'
import { craftWith } from './craft-elf.ts'

/** Types: 1 int, 2 its function type, 3 a function. Strings: 1 `xdp`, and more than 20 bytes of others. */
const btf = readBtf(
  craftBtf([
    { ...int(4), name: 'xdp' },
    { kind: KIND.func_proto },
    { kind: KIND.func, name: 'a_function_of_this_name', sizeOrType: 2 },
  ]),
)

const FUNC = words([8, 1, 1, 0, 3])
const LINE = words([16, 1, 2, 0, 1, 2, 3, 8, 1, 2, 3])
const CORE = words([16, 1, 2, 0, 1, 1, 0, 24, 1, 1, 0])

interface Change {
  readonly func?: Buffer
  readonly line?: Buffer
  readonly core?: Buffer
  readonly header?: (words: number[]) => unknown
}

function ext({ func = FUNC, line = LINE, core = CORE, header }: Change): Buffer {
  const fields = [
    0x0001eb9f,
    32,
    0,
    func.length,
    func.length,
    line.length,
    func.length + line.length,
    core.length,
  ]
  header?.(fields)
  return Buffer.concat([words(fields), func, line, core])
}

test('types of functions and CO-RE relocations are kept by section, other records counted', () => {
  const read = readBtfExt(ext({}), btf)
  expect(read).toMatchObject({ functionTypes: new Map([['xdp', new Map([[0, 3]])]]), lineRecords: 2 })
  expect([...read.coreRelocations]).toEqual([['xdp', [0, 24]]])
})

test('an older header has no CO-RE relocations', () => {
  const bytes = ext({ core: Buffer.alloc(0) })
  const older = Buffer.concat([words([0x0001eb9f, 24]), bytes.subarray(8, 24), bytes.subarray(32)])
  expect(readBtfExt(older, btf)).toMatchObject({
    functionTypes: new Map([['xdp', new Map([[0, 3]])]]),
    lineRecords: 2,
  })
})

test('longer records of a newer compiler are skipped over', () => {
  const func = words([12, 1, 1, 0, 3, 99])
  expect(readBtfExt(ext({ func }), btf).functionTypes.get('xdp')).toEqual(new Map([[0, 3]]))
})

describe('.BTF.ext', () => {
  const refused: [string, Buffer, RegExp][] = [
    ['empty', Buffer.alloc(0), /outside/],
    ['without magic number', ext({ header: (fields) => fields.fill(0, 0, 1) }), /magic/],
    ['of another version', ext({ header: (fields) => fields.fill(0x0002eb9f, 0, 1) }), /version/],
    ['with a small header', ext({ header: (fields) => fields.fill(16, 1, 2) }), /header of 16/],
    ['with a table off its alignment', ext({ header: (fields) => fields.fill(2, 2, 3) }), /not aligned/],
    ['with a table past the end', ext({ header: (fields) => fields.fill(0xfffffffc, 3, 4) }), /outside/],
    ['with records of no size', ext({ func: words([0, 1, 1, 0, 3]) }), /records of 0 bytes/],
    ['with records too small', ext({ core: words([12, 1, 1, 0, 1, 1]) }), /core_relo has records of 12/],
    ['with 2^32 - 1 records', ext({ core: words([16, 1, 0xffffffff, 0, 1, 1, 0]) }), /outside/],
    ['with no records of a section', ext({ func: words([8, 1, 0]) }), /empty/],
    ['with a section cut short', ext({ func: words([8, 1]) }), /outside/],
    ['with a section twice', ext({ func: words([8, 1, 1, 0, 3, 1, 1, 0, 3]) }), /names section xdp twice/],
    ['with a section name outside', ext({ func: words([8, 999, 1, 0, 3]) }), /outside/],
    ['with a function that is an int', ext({ func: words([8, 1, 1, 0, 1]) }), /has type 1 \(int\)/],
    ['with a function that is not there', ext({ func: words([8, 1, 1, 0, 77]) }), /no type 77/],
    ['with two functions in one place', ext({ func: words([8, 1, 2, 0, 3, 0, 3]) }), /start at byte 0/],
    ['with half an instruction', ext({ func: words([8, 1, 1, 4, 3]) }), /off an instruction/],
    ['with a file name outside', ext({ line: words([16, 1, 1, 0, 999, 1, 0]) }), /text outside/],
    ['with a line outside', ext({ line: words([16, 1, 1, 0, 1, 999, 0]) }), /text outside/],
    ['with an access path outside', ext({ core: words([16, 1, 1, 0, 1, 999, 0]) }), /text outside/],
    ['with a relocated type that is not there', ext({ core: words([16, 1, 1, 0, 77, 1, 0]) }), /no type 77/],
  ]
  test.each(refused)('%s: refused', (_, bytes, message) =>
    expectRefusal(() => readBtfExt(bytes, btf), 'btf_malformed', message),
  )
})

describe('a CO-RE relocation', () => {
  const at = (offset: number, section = 'xdp') => {
    const types = craftBtf([{ ...int(4), name: section }])
    const table = words([16, 1, 1, offset, 1, 1, 0])
    const header = words([0x0001eb9f, 32, 0, 0, 0, 0, 0, table.length])
    return () =>
      readObject(
        craftWith([
          { name: '.BTF', data: types },
          { name: '.BTF.ext', data: Buffer.concat([header, table]) },
        ]),
      )
  }
  test('counts for the function that it is in', () =>
    expect(at(8)()).toMatchObject({ coreRelocations: 1, programs: [{ name: 'entry', coreRelocations: 1 }] }))
  test.each([
    ['behind every function', at(16)],
    ['in a section without functions', at(0, 'other')],
  ])('%s: refused', (_, read) => expectRefusal(read, 'btf_malformed', /is in no function/))
})
