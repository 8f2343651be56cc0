import { DomainError } from '../../domain/errors.ts'
import type { Hook } from '../../domain/hook.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { Permission, PermissionFinding } from '../../domain/permission.ts'
import type { BpfObject } from '../bpf-object.ts'
import { type Btf, type BtfType, btfName, variablesOf } from '../btf-types.ts'
import { kernelName } from '../chainable.ts'
import type { ElfFunction } from '../functions.ts'
import { isProgram } from '../programs.ts'
import { arrayPrograms } from '../tail-calls.ts'
import { type Budget, follow } from './follow.ts'
import { type Code, codeOf } from './instructions.ts'
import { makesNoDynptr } from './kernel-functions.ts'
import { enter, newRun, type Run, type Surroundings } from './run.ts'
import { sourceLine } from './source-line.ts'
import { NUMBER, POINTS, pointer } from './value.ts'

/** An entry whose permissions are asked for, in which object, and on which hook it is to run. */
export interface AskedEntry {
  readonly object: BpfObject
  readonly entry: string
  readonly hook: Hook
}

/**
 * What entries can do, each on its hook: nothing is missed that a program which the kernel takes can do, and what cannot be
 * told counts as done. Instructions are followed on all ways, with what registers and stack may hold, through subprograms,
 * callbacks and the programs that tail calls find at first; see docs/permissions.md. All entries together are followed for
 * LIMITS.permission_steps; what is not done then is `unknown`. Throws `entry_not_found`.
 */
export const findPermissions = (asked: readonly AskedEntry[]): PermissionFinding[] =>
  asked.flatMap(permissionFinder())

/** The same for one entry after the other, which share the steps. */
export function permissionFinder(
  steps: number = LIMITS.permission_steps,
): (asked: AskedEntry) => PermissionFinding[] {
  const budget: Budget = { left: steps }
  const decoded = new Map<ElfFunction, Code>()
  return ({ object, entry, hook }) => {
    const found = new Map<string, PermissionFinding>()
    const counts = new Map<Permission, number>()
    const report = (permission: Permission, of: ElfFunction, slot: number, what: string): void => {
      const key = `${permission} ${of.section.index} ${of.start} ${slot} ${what}`
      const count = counts.get(permission) ?? 0
      if (found.has(key) || count >= LIMITS.permission_places) return
      counts.set(permission, count + 1)
      const source = sourceLine(object, of, slot)
      found.set(key, {
        ...{ permission, entry, function: of.name, instruction: slot, what },
        ...(source === undefined ? {} : { source }),
      })
    }
    for (const name of reachedByTailCalls(object, entry)) {
      const run = newRun(surroundingsOf(object, name, hook, decoded), programNamed(object, name))
      explain(run, report, budget)
    }
    return [...found.values()]
  }
}

function programNamed(object: BpfObject, entry: string): ElfFunction {
  const found = object.functions.find((each) => each.name === entry && isProgram(each))
  if (found === undefined) throw new DomainError('entry_not_found', `the object has no program "${entry}"`)
  return found
}

/** An entry, and the programs that the arrays hold from the start by which it and they make tail calls. */
function reachedByTailCalls(object: BpfObject, entry: string): readonly string[] {
  const reached = [entry]
  for (const name of reached) {
    const program = object.programs.find((each) => each.name === name)
    if (program?.tailCalls !== true) continue
    for (const next of arrayPrograms(object, program.maps)) if (!reached.includes(next)) reached.push(next)
  }
  return reached
}

function surroundingsOf(
  object: BpfObject,
  entry: string,
  hook: Hook,
  decoded: Map<ElfFunction, Code>,
): Surroundings {
  const { debug } = object
  const kfuncs = object.programs.find(({ name }) => name === entry)?.kfuncs ?? []
  return {
    hook,
    maps: new Map(object.maps.map((map) => [map.name, map])),
    settings: new Set(
      debug === undefined ? [] : variablesOf(debug.btf, debug.sections.get('.kconfig')).keys(),
    ),
    pointersInMaps: debug?.btf.types.some(({ kind }) => kind === 'type_tag') ?? false,
    packetDynptrs: !kfuncs.map(kernelName).every(makesNoDynptr),
    handlesExceptions: debug?.btf.types.some((type) => isHandlerTag(debug.btf, type)) ?? false,
    frames: new Map(object.functions.map((each, at) => [each, at])),
    codeOf: (each) => {
      const known = decoded.get(each) ?? codeOf(each, patchedIn(object, each))
      decoded.set(each, known)
      return known
    },
  }
}

/** Whether a type says that some function handles exceptions (bpf_find_exception_callback_insn_off, kernel/bpf/btf.c). */
const isHandlerTag = (btf: Btf, { kind, name }: BtfType): boolean =>
  kind === 'decl_tag' && btfName(btf, name).startsWith('exception_callback:')

/** Byte offsets of instructions of a function that CO-RE writes to. */
const patchedIn = ({ debug }: BpfObject, { section, start, size }: ElfFunction): Set<number> =>
  new Set(
    debug?.ext?.coreRelocations.get(section.name)?.filter((at) => at >= start && at < start + size) ?? [],
  )

/** Follows all functions until nothing new is found; false when the budget ends before. */
function settle(run: Run, budget: Budget): boolean {
  enter(run, run.entry, [pointer(POINTS.context), NUMBER, NUMBER, NUMBER, NUMBER])
  while (run.news) {
    run.news = false
    if (!followAll(run, budget)) return false
  }
  return true
}

/** Follows each function once; those that are met on the way too. False when the budget ends before. */
function followAll(run: Run, budget: Budget): boolean {
  for (const each of run.inputs.keys()) if (!follow(run, each, budget)) return false
  return true
}

/** Follows all until all is known, then once more, to report what they need. */
function explain(run: Run, report: NonNullable<Run['report']>, budget: Budget): void {
  const settled = settle(run, budget)
  run.report = report
  if (!settled || !followAll(run, budget))
    report('unknown', run.entry, 0, 'is too large to be followed to its end')
  // no way to an exit was found: none that is known, at least
  else if (!run.results.has(run.entry)) report('unknown', run.entry, 0, 'never ends')
}
