import { describe, expect, test } from 'vitest'
import { type BpfObject, readObject } from '../../src/elf/bpf-object.ts'
import { arrayOf } from '../../src/elf/btf-layout.ts'
import { type Btf, btfName, membersOf, readBtf, typeOf } from '../../src/elf/btf-types.ts'
import { u32 } from '../../src/elf/byte-view.ts'
import { mergeFunctionTypes } from '../../src/elf/merge-btf.ts'
import { compileBpf } from '../support/compile-bpf.ts'
import { expectRefusal } from './codes.ts'
import { type CraftedType, craftBtf, int, KIND, pointer, struct } from './craft-btf.ts'

const SHAPES = `#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct elsewhere;
enum action { ALLOW, DENY = -7 };
typedef int __attribute__((btf_type_tag("user"))) *tagged;
struct shapes {
	struct shapes *next;
	const volatile __u32 flags[3];
	enum action action;
	int (*call)(struct elsewhere *, ...);
	union { __u16 low; float ratio; } either;
	__u32 three : 3;
	__u32 five : 5;
	tagged pointer;
	char *restrict alone;
	_Bool MEMBER;
};
struct unrelated { long long never; };
struct unrelated unrelated;
__noinline int shaped(struct shapes *shapes __attribute__((btf_decl_tag("arg:nonnull")))) { return shapes ? shapes->flags[1] : 1; }
static __noinline int small(int value) { volatile int kept = value; return kept + 1; }
SEC("xdp") int entry(struct xdp_md *ctx) { struct shapes s = {}; s.flags; return shaped(&s) + small(ctx->data) + unrelated.never; }
`
const read = (member: string): { object: BpfObject; btf: Buffer } => {
  const object = readObject(compileBpf(SHAPES, { defines: { MEMBER: member }, flags: ['-Wno-unused-value'] }))
  if (object.btf === undefined) throw new Error('no BTF')
  return { object, btf: object.btf.raw }
}
const typeIdOf = ({ object }: { object: BpfObject }, name: string): number => {
  const found = object.programs[0]?.functions.find((each) => each.name === name)?.typeId
  if (found === undefined) throw new Error(`no type of ${name}`)
  return found
}

/** A type and all that it names as text, tags on functions included; a type within itself by its name alone. */
function textOf(btf: Btf, id: number, around: readonly number[] = []): string {
  const type = typeOf(btf, id)
  const { kind, sizeOrType, count, flag } = type
  const name = btfName(btf, type.name)
  const inside = (other: number): string => textOf(btf, other, [...around, id])
  if (around.includes(id)) return `${kind} ${name} again`
  const words = (size: number, at: number): string =>
    Array.from(
      { length: count },
      (_, index) =>
        `${btfName(btf, u32(btf.data, type.extra + index * size))} ${u32(btf.data, type.extra + index * size + at)}`,
    ).join()
  switch (kind) {
    case 'void':
      return 'void'
    case 'int':
      return `int ${name} ${sizeOrType} ${u32(btf.data, type.extra)}`
    case 'array': {
      const { element, count: elements } = arrayOf(btf, type)
      return `array ${elements} of ${inside(element)} by ${inside(u32(btf.data, type.extra + 4))}`
    }
    case 'struct':
    case 'union': {
      const members = [...membersOf(btf, type)].map(
        (each) => `${btfName(btf, each.name)} ${each.offset} ${each.bits} ${inside(each.type)}`,
      )
      return `${kind} ${name} ${sizeOrType} {${members.join()}}`
    }
    case 'enum':
      return `enum ${name} ${sizeOrType} ${flag} {${words(8, 4)}}`
    case 'enum64':
      return `enum64 ${name} ${sizeOrType} ${flag} {${words(12, 4)} ${words(12, 8)}}`
    case 'func_proto': {
      const parameters = Array.from({ length: count }, (_, index) => {
        const at = type.extra + index * 8
        return `${btfName(btf, u32(btf.data, at))} ${inside(u32(btf.data, at + 4))}`
      })
      return `(${parameters.join()}) gives ${inside(sizeOrType)}`
    }
    case 'func': {
      const tags = btf.types.filter((tag) => tag.kind === 'decl_tag' && tag.sizeOrType === id)
      const texts = tags.map((tag) => `${btfName(btf, tag.name)} ${u32(btf.data, tag.extra)}`)
      return `func ${name} linkage ${count} [${texts.join()}] ${inside(sizeOrType)}`
    }
    case 'float':
    case 'fwd':
      return `${kind} ${name} ${sizeOrType} ${flag}`
    default:
      return `${kind} ${name} ${inside(sizeOrType)}`
  }
}
const kindsIn = (text: string): string[] => [...new Set(text.match(/[a-z_]+64|[a-z_]+/g))]

describe('merged types of functions', () => {
  const one = read('on')
  const two = read('off')
  const [shaped, small] = ['shaped', 'small'].map((name) => typeIdOf(one, name)) as [number, number]
  const merged = mergeFunctionTypes([
    { btf: one.btf, typeId: shaped, makeStatic: false },
    { btf: two.btf, typeId: typeIdOf(two, 'shaped'), makeStatic: true },
    { btf: one.btf, typeId: small, makeStatic: false },
  ])
  const result = readBtf(merged.btf)
  const [first = 0, second = 0, third = 0] = merged.typeIds

  test('say what they said in their objects, tags included', () => {
    const before = textOf(readBtf(one.btf), shaped)
    for (const kind of ['struct', 'union', 'ptr', 'array', 'enum', 'typedef', 'type_tag', 'float', 'fwd'])
      expect(kindsIn(before)).toContain(kind)
    for (const kind of ['const', 'volatile', 'restrict']) expect(kindsIn(before)).toContain(kind)
    expect(before).toMatch(/^func shaped linkage 1 \[arg:nonnull 0\] \(shapes ptr {2}struct shapes /)
    expect(textOf(result, first)).toBe(before)
    expect(textOf(result, third)).toBe(textOf(readBtf(one.btf), small))
  })
  test('become static where that is asked for', () =>
    expect(textOf(result, second)).toBe(
      textOf(result, first)
        .replace('linkage 1', 'linkage 0')
        .replaceAll(/\bon\b/g, 'off'),
    ))
  test('leave out what no function names', () => {
    const names = result.types.map(({ name }) => btfName(result, name))
    expect(names).not.toContain('unrelated')
    expect(result.types.length).toBeLessThan(readBtf(one.btf).types.length * 2)
    expect(result.types.some(({ kind }) => kind === 'datasec' || kind === 'var')).toBe(false)
  })
  test('of two objects keep to themselves, of one are there once', () => {
    const count = (btf: Buffer, name: string): number => {
      const all = readBtf(btf)
      return all.types.filter((type) => type.kind === 'struct' && btfName(all, type.name) === name).length
    }
    expect(count(merged.btf, 'shapes')).toBe(2)
    const entry = typeIdOf(one, 'entry')
    const same = mergeFunctionTypes([
      { btf: one.btf, typeId: shaped, makeStatic: false },
      { btf: Buffer.from(one.btf), typeId: entry, makeStatic: true },
      { btf: one.btf, typeId: shaped, makeStatic: true },
      { btf: Buffer.from(one.btf), typeId: shaped, makeStatic: false },
    ])
    expect(count(same.btf, 'shapes')).toBe(1)
    const [a, b, c, d] = same.typeIds
    expect([a === d, new Set([a, b, c]).size]).toEqual([true, 3])
  })
  test('are the same bytes for the same input, which stays as it was', () => {
    const wanted = [{ btf: one.btf, typeId: shaped, makeStatic: true }]
    const before = Buffer.from(one.btf)
    expect(mergeFunctionTypes(wanted)).toEqual(mergeFunctionTypes(wanted))
    expect(one.btf.equals(before)).toBe(true)
  })
  test('of no functions are none', () =>
    expect(readBtf(mergeFunctionTypes([]).btf).types.map(({ kind }) => kind)).toEqual(['void']))
})

describe('crafted types', () => {
  const func = (name: string, type: number): CraftedType => ({
    kind: KIND.func,
    name,
    sizeOrType: type,
    count: 1,
  })
  /** 1 int, 2 a prototype that takes type 4, 3 the function. */
  const taking = (...more: CraftedType[]): Buffer =>
    craftBtf([
      int(4),
      { kind: KIND.func_proto, count: 1, sizeOrType: 1, extra: ['x', 4] },
      func('f', 2),
      ...more,
    ])
  const merge = (btf: Buffer, typeId = 3) => mergeFunctionTypes([{ btf, typeId, makeStatic: false }])

  test('of enums beyond 32 bits are kept', () => {
    const bytes = taking({
      kind: KIND.enum64,
      name: 'e',
      flag: true,
      count: 1,
      sizeOrType: 8,
      extra: ['A', 5, 6],
    })
    const { btf, typeIds } = merge(bytes)
    const text = textOf(readBtf(btf), typeIds[0] ?? 0)
    expect(text).toBe(textOf(readBtf(bytes), 3))
    expect(text).toContain('enum64 e 8 true {A 5 A 6}')
  })
  test('with a tag of any text keep it', () => {
    const tag = { kind: KIND.decl_tag, name: 'käfer\n', sizeOrType: 3, extra: [-1] }
    const { btf } = merge(taking(pointer(0), tag))
    expect(btf.includes(Buffer.from('käfer\n\0', 'latin1'))).toBe(true)
  })
  const refused: [string, () => unknown, RegExp][] = [
    ['no BTF', () => merge(Buffer.alloc(24)), /no magic/],
    ['an id of nothing', () => merge(taking(pointer(0)), 99), /no type 99/],
    ['an id of another kind', () => merge(taking(pointer(0)), 1), /type 1 \(int\) is wanted as a function/],
    ['a pointer to a function', () => merge(taking(pointer(3))), /type 4 \(ptr\) names type 3 \(func\)/],
    [
      'a member that is a tag',
      () =>
        merge(
          taking(struct(8, [['a', 5, 0]]), { kind: KIND.decl_tag, name: 't', sizeOrType: 3, extra: [0] }),
        ),
      /names type 5 \(decl_tag\)/,
    ],
    ['a name without end', () => merge(taking({ ...int(4), name: 'n'.repeat(600) })), /no end within 512/],
  ]
  test.each(refused)('%s: refused', (_, work, message) => expectRefusal(work, 'btf_malformed', message))
  test('more than a kernel takes: refused', () => {
    // each object has 60,000 types that a function names, and 3 of them are more than may be
    const chain = Array.from({ length: 60_000 }, (_, at) => pointer(at + 5))
    const objects = ['a', 'b', 'c'].map((name) => taking(...chain, { ...int(4), name }))
    const wanted = objects.map((btf) => ({ btf, typeId: 3, makeStatic: false }))
    expect(mergeFunctionTypes(wanted.slice(0, 2)).typeIds).toHaveLength(2)
    expectRefusal(() => mergeFunctionTypes(wanted), 'elf_too_many', /more than 131072 types/)
  })
})
