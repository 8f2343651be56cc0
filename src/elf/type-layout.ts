import { SCALAR_BYTES, type ScalarType } from '../domain/scalar.ts'
import { arrayOf, scalarOf, sizeOf } from './btf-layout.ts'
import { type Btf, type BtfMember, btfName, membersOf, resolve } from './btf-types.ts'

/** Where what lies in a type, as far as it can be written to by name. Sizes in bytes. */
export interface TypeLayout {
  /** `other`: pointers and what else has no fixed meaning as bytes. */
  readonly kind: 'scalar' | 'array' | 'struct' | 'other'
  readonly size: number
  /** The integer or enum that it is. */
  readonly scalar: ScalarType | undefined
  /** What an array is made of. */
  readonly element: TypeLayout | undefined
  /** Members of a struct or union. */
  readonly members: readonly MemberLayout[]
}

/** A member; `offset` in bytes from the start of its struct. One without a name is an anonymous struct or union. */
interface MemberLayout {
  readonly name: string
  readonly offset: number
  readonly bitField: boolean
  readonly type: TypeLayout
}

/**
 * Gives the layouts of one object's types, each made once. Only for types that `layoutWriter` of btf-layout.ts has
 * written: it refuses what is nested without end. Throws `btf_malformed`.
 */
export function typeLayouts(btf: Btf): (id: number) => TypeLayout {
  const made = new Map<number, TypeLayout>()
  const memberOf = ({ name, type, offset, bits }: BtfMember): MemberLayout => ({
    name: btfName(btf, name),
    offset: Math.floor(offset / 8),
    bitField: bits > 0 || offset % 8 !== 0,
    type: layoutOf(type),
  })
  const layoutOf = (id: number): TypeLayout => {
    const type = resolve(btf, id)
    const known = made.get(type.id)
    if (known !== undefined) return known
    const struct = type.kind === 'struct' || type.kind === 'union'
    const scalar = scalarOf(btf, type.id)
    const layout: TypeLayout = {
      kind: scalar !== undefined ? 'scalar' : struct ? 'struct' : type.kind === 'array' ? 'array' : 'other',
      size: sizeOf(btf, type.id),
      scalar,
      element: type.kind === 'array' ? layoutOf(arrayOf(btf, type).element) : undefined,
      members: struct ? [...membersOf(btf, type)].map(memberOf) : [],
    }
    made.set(type.id, layout)
    return layout
  }
  return layoutOf
}

/** A member found by its name. `offset` in bytes from the start of the whole type. */
export interface FoundMember {
  readonly offset: number
  readonly type: TypeLayout
  readonly bitField: boolean
}

/** The member of this name, or of a dotted one in structs within; members of anonymous ones are members, as in C. */
export function findMember(type: TypeLayout, path: string): FoundMember | undefined {
  let found: FoundMember = { offset: 0, type, bitField: false }
  for (const name of path.split('.')) {
    const member = memberNamed(found.type, name)
    if (member === undefined) return undefined
    found = { ...member, offset: found.offset + member.offset }
  }
  return found
}

function memberNamed({ members }: TypeLayout, name: string): FoundMember | undefined {
  for (const member of members) {
    if (member.name === name) return member
    const within = member.name === '' ? memberNamed(member.type, name) : undefined
    if (within !== undefined) return { ...within, offset: member.offset + within.offset }
  }
  return undefined
}

/** The names of a struct's members, those of anonymous ones within included. */
export const memberNames = ({ members }: TypeLayout): string[] =>
  members.flatMap(({ name, type }) => (name === '' ? memberNames(type) : [name]))

/** Whether a type is plain bytes: an array of them, of arrays of them, or one of them. */
export const isBytes = ({ scalar, element }: TypeLayout): boolean =>
  scalar === undefined ? element !== undefined && isBytes(element) : SCALAR_BYTES[scalar] === 1
