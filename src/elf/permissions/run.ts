import type { Hook } from '../../domain/hook.ts'
import type { Permission } from '../../domain/permission.ts'
import type { ElfFunction } from '../functions.ts'
import type { BpfMapDefinition } from '../maps.ts'
import type { Code } from './instructions.ts'
import { newStack, type Stack } from './stack.ts'
import { join, NOTHING, type Value } from './value.ts'

/** What is known of the object that is looked at. */
export interface Surroundings {
  readonly hook: Hook
  /** Maps and data sections by name. */
  readonly maps: ReadonlyMap<string, BpfMapDefinition>
  /** Settings of the kernel's build, which a loader gives as values of a map; other names are of the kernel. */
  readonly settings: ReadonlySet<string>
  /** Whether maps may hold pointers of the kernel, which only types with tags can say. */
  readonly pointersInMaps: boolean
  /** Whether a dynptr may stand for a packet. */
  readonly packetDynptrs: boolean
  readonly codeOf: (each: ElfFunction) => Code
  /** Whether a function of its own handles the exceptions of a program; nothing in the code refers to it. */
  readonly handlesExceptions: boolean
  /** Every function of the object, and the number of its stack frame. */
  readonly frames: ReadonlyMap<ElfFunction, number>
}

/** What is found out about one entry while its functions are looked at until nothing new comes. */
export interface Run extends Surroundings {
  readonly entry: ElfFunction
  readonly stack: Stack
  /** r1 to r5 at the start of every function that was met. */
  readonly inputs: Map<ElfFunction, readonly Value[]>
  /** r0 at the exits of a function. */
  readonly results: Map<ElfFunction, Value>
  /** Functions whose address was taken, and what those that call back give. */
  readonly callbacks: Set<ElfFunction>
  callbackInputs: readonly Value[] | undefined
  /** Whether something is known that earlier steps did not know. */
  news: boolean
  /** Takes what an instruction needs; only once all is known. */
  report: ((permission: Permission, of: ElfFunction, slot: number, what: string) => void) | undefined
}

/** A run at its start. */
export const newRun = (surroundings: Surroundings, entry: ElfFunction): Run => ({
  ...surroundings,
  entry,
  stack: newStack(),
  inputs: new Map(),
  results: new Map(),
  callbacks: new Set(),
  callbackInputs: undefined,
  news: false,
  report: undefined,
})

/** A function is called with these in r1 on. */
export function enter(run: Run, into: ElfFunction, values: readonly Value[]): void {
  const before = run.inputs.get(into)
  const after = Array.from({ length: 5 }, (_, at) => join(before?.[at] ?? NOTHING, values[at] ?? NOTHING))
  if (before !== undefined && after.every((value, at) => value === before[at])) return
  run.inputs.set(into, after)
  run.news = true
}

/** A function's address is taken: it may be called back. */
export function takeAddress(run: Run, of: ElfFunction): void {
  run.callbacks.add(of)
  enter(run, of, run.callbackInputs ?? [])
}

/** Some function is called back with these: any whose address was taken. */
export function callBack(run: Run, values: readonly Value[]): void {
  run.callbackInputs = Array.from({ length: 5 }, (_, at) =>
    join(run.callbackInputs?.[at] ?? NOTHING, values[at] ?? NOTHING),
  )
  for (const each of run.callbacks) enter(run, each, run.callbackInputs)
}

/** A function may return this. */
export function comeBack(run: Run, from: ElfFunction, value: Value): void {
  const before = run.results.get(from)
  const after = join(before ?? NOTHING, value)
  if (before !== undefined && after === before) return
  run.results.set(from, after)
  run.news = true
}
