import { createHash } from 'node:crypto'
import type { Hook } from '../domain/hook.ts'
import type { ConfigValue } from '../domain/manifest.ts'
import type { Digest } from '../domain/names.ts'
import type { PermissionFinding } from '../domain/permission.ts'
import type { ScalarType } from '../domain/scalar.ts'
import { type BpfObject, readObject } from './bpf-object.ts'
import { type ChainObstacle, chainObstacles } from './chainable.ts'
import type { BpfVariable } from './data-sections.ts'
import { isGplCompatible } from './license.ts'
import type { BpfMapDefinition } from './maps.ts'
import { permissionFinder } from './permissions/find-permissions.ts'
import type { BpfFunction } from './programs.ts'

/** A program as a report shows it. `hook` is a guess from its section's name; null where the name says nothing. */
export interface ProgramReport extends BpfFunction {
  readonly hook: Hook | null
  /** Whether it can be part of a chain on that hook, as far as the object tells; where the hook is unknown, on XDP. */
  readonly chains: boolean
  /** Why it cannot. */
  readonly obstacles: readonly ChainObstacle[]
  /** What it can do on that hook, and where. */
  readonly permissions: readonly PermissionFinding[]
}

/** A global variable as a report shows it. `value` is what the compiler left, null when it is no scalar. */
export interface VariableReport {
  readonly name: string
  readonly section: string
  readonly offset: number
  readonly size: number
  readonly type: ScalarType | null
  readonly value: ConfigValue | null
  /** Whether a manifest may name it as configuration: a `const volatile` scalar. */
  readonly configurable: boolean
}

/** A map as a report shows it; `layout` says in text what keys and values hold. */
type MapReport = Omit<BpfMapDefinition, 'key' | 'value'>

/** All that can be told of an object without a kernel. JSON-able. */
export interface ObjectReport {
  readonly name: string
  readonly bytes: number
  readonly digest: Digest
  readonly byteOrder: 'little'
  readonly license: string | null
  readonly gplCompatible: boolean
  readonly btf: { readonly types: number; readonly bytes: number } | null
  readonly coreRelocations: number
  readonly kernelSymbols: readonly string[]
  readonly programs: readonly ProgramReport[]
  readonly maps: readonly MapReport[]
  readonly variables: readonly VariableReport[]
}

/** Describes the object file `name`. Throws as {@link readObject} does. */
export function describeObject(bytes: Buffer, name: string): ObjectReport {
  const object = readObject(bytes)
  return {
    name,
    bytes: bytes.length,
    digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    byteOrder: object.byteOrder,
    license: object.license ?? null,
    gplCompatible: isGplCompatible(object.license),
    btf: object.btf === undefined ? null : { types: object.btf.types, bytes: object.btf.bytes },
    coreRelocations: object.coreRelocations,
    kernelSymbols: object.kernelSymbols,
    programs: describePrograms(object),
    maps: object.maps.map(({ key: _key, value: _value, ...map }) => map),
    variables: object.variables.map(describeVariable),
  }
}

function describePrograms(object: BpfObject): ProgramReport[] {
  const found = permissionFinder()
  return object.programs.map((program) => {
    const hook = guessHook(program.section)
    const assumed = hook ?? 'xdp'
    const obstacles = chainObstacles(object, program, assumed)
    const permissions = found({ object, entry: program.name, hook: assumed })
    return { ...program, hook, chains: obstacles.length === 0, obstacles, permissions }
  })
}

/** Section names are a custom of loaders: `xdp`, `xdp.frags/name`, `tc`, `tcx/egress`, `classifier`. */
function guessHook(section: string): Hook | null {
  if (section.startsWith('xdp')) return 'xdp'
  if (/^tcx?\/egress/.test(section)) return 'tc-egress'
  return /^(tc|tcx|classifier)(\/|$)/.test(section) ? 'tc-ingress' : null
}

function describeVariable({
  name,
  section,
  offset,
  size,
  type,
  volatile,
  initial,
}: BpfVariable): VariableReport {
  const readOnly = section === '.rodata' || section.startsWith('.rodata.')
  return {
    name,
    section,
    offset,
    size,
    type: type ?? null,
    value: type === undefined ? null : decodeScalar(type, initial),
    configurable: readOnly && volatile && type !== undefined,
  }
}

/** The value of a scalar from its little-endian bytes; decimal text beyond ±2^53. */
function decodeScalar(type: ScalarType, bytes: Buffer): ConfigValue {
  if (type === 'bool') return bytes[0] !== 0
  const unsigned = BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`)
  const value = type.startsWith('i') ? BigInt.asIntN(bytes.length * 8, unsigned) : unsigned
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value.toString()
}
