import type { Permission } from '../../domain/permission.ts'
import { kernelName } from '../chainable.ts'
import type { ElfFunction } from '../functions.ts'
import { helperName, TAIL_CALL } from '../helper-names.ts'
import { isProgram } from '../programs.ts'
import { verdictPermissions } from './context.ts'
import { HELPERS, type HelperRule } from './helpers.ts'
import { kernelFunctionRule, THROW } from './kernel-functions.ts'
import { expose, type Place, report } from './memory.ts'
import { callBack, comeBack, enter } from './run.ts'
import { ANYTHING, NUMBER, POINTS, type Value } from './value.ts'

const EVERY_PARAMETER: HelperRule['writes'] = [1, 2, 3, 4, 5].map((to) => ({ to }))
/** Whoever is given a function's address, and is not known, may call it with anything. */
const WITH_ANYTHING: readonly Value[] = Array.from({ length: 5 }, () => ANYTHING)

/** Calls a helper by number with r1 to r5; gives r0. */
export function callHelper(place: Place, id: number, parameters: readonly Value[]): Value {
  const { run, of } = place
  const name = helperName(id)
  const rule = HELPERS.get(name)
  const what = `helper ${name}${name.includes('#') ? '' : `#${id}`}`
  if (rule === undefined) report(place, 'unknown', what)
  for (const permission of [...(rule?.permissions ?? []), ...(rule?.more?.(parameters) ?? [])])
    report(place, permission, what)
  if (name === 'bpf_dynptr_write' && run.packetDynptrs) report(place, 'modify-packet', what)
  for (const { to, size } of rule === undefined ? (EVERY_PARAMETER ?? []) : (rule.writes ?? []))
    expose(
      place,
      parameters[to - 1] ?? ANYTHING,
      most(size === undefined ? undefined : parameters[size - 1]),
      what,
    )
  if (rule?.callback !== undefined) callBack(run, rule.callback(parameters))
  else if (takesCode(parameters)) callBack(run, WITH_ANYTHING)
  if (id === TAIL_CALL) {
    comeBack(run, of, NUMBER)
    reportVerdict(place, NUMBER, 'a tail call')
  }
  return rule === undefined ? ANYTHING : (rule.result?.(parameters) ?? NUMBER)
}

/** Whether a helper leaves the stack of its caller as it is. */
export function keepsStack(id: number): boolean {
  const rule = HELPERS.get(helperName(id))
  return rule !== undefined && rule.writes === undefined && rule.callback === undefined
}

/** The largest of some sizes, undefined where they are not known. */
function most(size: Value | undefined): number | undefined {
  if (size?.numbers === undefined || size.numbers.length === 0 || size.pointers !== 0) return undefined
  const largest = size.numbers.reduce((a, b) => (b > a ? b : a))
  return largest > 512n ? undefined : Number(largest)
}

const takesCode = (parameters: readonly Value[]): boolean =>
  parameters.some(({ pointers }) => (pointers & POINTS.code) !== 0)

/** Calls a function of the kernel with r1 to r5; gives r0. */
export function callKernel(place: Place, symbol: string, parameters: readonly Value[]): Value {
  const { run } = place
  const name = kernelName(symbol)
  const { permissions, result, stranger, callback } = kernelFunctionRule(name)
  for (const permission of permissions) report(place, permission, `kernel function ${name}`)
  for (const each of parameters)
    expose(place, stranger ? each : { ...each, pointers: 0 }, undefined, `kernel function ${name}`)
  if (takesCode(parameters)) callBack(run, callback ?? WITH_ANYTHING)
  if (name === THROW) {
    // whichever of them handles it, nothing in the code refers to it
    for (const each of run.handlesExceptions ? run.frames.keys() : [])
      if (!isProgram(each)) enter(run, each, WITH_ANYTHING)
    comeBack(run, run.entry, NUMBER)
    reportVerdict(place, NUMBER, 'an exception')
  }
  return result(parameters)
}

/** Calls a function of the object; gives r0, or undefined as long as it is not known to return. */
export function callFunction(
  place: Place,
  into: ElfFunction,
  parameters: readonly Value[],
): Value | undefined {
  enter(place.run, into, parameters)
  return place.run.results.get(into)
}

/** Says what the verdicts need that an exit of the entry may give; by tail calls and exceptions too those below it. */
export function reportVerdict(place: Place, value: Value, how: string): void {
  if (how === 'exit' && place.of !== place.run.entry) return
  const text = (permission: Permission): string =>
    how === 'exit' ? `may return a verdict to ${permission}` : `${how} may end in a verdict to ${permission}`
  for (const permission of verdictPermissions(place.run.hook, value))
    report(place, permission, text(permission))
}
