import type { FunctionStep } from '../../domain/fleet-function.ts'
import { type FunctionSpec, type Instance, instanceName } from '../../domain/function.ts'
import { programOf } from '../../domain/resolution.ts'

/** A step of a function with what its order says. */
export interface ReadStep {
  readonly spec: FunctionSpec
  /** Who claims to have signed it. */
  readonly operator: string
  readonly step: Pick<FunctionStep, 'revision' | 'resolutions'>
}

/** What changed from one step to the next, a line each; the versions first, since they are what runs. */
export function stepChanges(before: ReadStep, after: ReadStep): string[] {
  return [
    ...versionChanges(before, after),
    ...instanceChanges(before.spec.instances, after.spec.instances),
    ...FIELDS.flatMap(({ name, text }) => {
      const [was, is] = [text(before.spec), text(after.spec)]
      return was === is ? [] : [`${name}: ${was} → ${is}`]
    }),
    ...(before.operator === after.operator ? [] : ['signed by another operator']),
  ]
}

const labelsText = (labels: FunctionSpec['selector']): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(', ') || 'every node'

const FIELDS: readonly { name: string; text: (spec: FunctionSpec) => string }[] = [
  { name: 'nodes', text: ({ selector }) => labelsText(selector) },
  { name: 'interfaces', text: ({ interfaces }) => interfaces.join(', ') },
  { name: 'priority', text: ({ priority }) => String(priority) },
  { name: 'XDP in the stack', text: ({ allowGeneric }) => (allowGeneric ? 'allowed' : 'not allowed') },
  { name: 'when an entry is missing', text: ({ onMissing }) => onMissing },
  { name: 'when a release is revoked', text: ({ onRevoke }) => onRevoke },
]

/** What each program of a step was; one may be used in two versions. */
function versionsOf({ step }: ReadStep): Map<string, string> {
  const versions = new Map<string, Set<string>>()
  for (const { use, version } of step.resolutions) {
    const program = programOf(use)
    versions.set(program, (versions.get(program) ?? new Set()).add(version))
  }
  return new Map([...versions].map(([program, of]) => [program, [...of].sort().join(' and ')]))
}

/** Versions of programs that are in both: what comes or goes is said of its instance. */
function versionChanges(before: ReadStep, after: ReadStep): string[] {
  const [was, is] = [versionsOf(before), versionsOf(after)]
  const used = new Set(after.spec.instances.map(({ use }) => programOf(use)))
  return [...new Set([...was.keys(), ...is.keys()])].flatMap((program) => {
    const [from, to] = [was.get(program), is.get(program)]
    if (from === to) return []
    if (to === undefined) return used.has(program) ? [`${program} ${from} → no release fits`] : []
    return from === undefined ? [`${program} ${to}`] : [`${program} ${from} → ${to}`]
  })
}

function instanceChanges(before: readonly Instance[], after: readonly Instance[]): string[] {
  const [was, is] = [before, after].map((all) => new Map(all.map((one) => [instanceName(one), one]))) as [
    Map<string, Instance>,
    Map<string, Instance>,
  ]
  const added = [...is.keys()].filter((name) => !was.has(name))
  const removed = [...was.keys()].filter((name) => !is.has(name))
  const [kept, keptNow] = [
    [...was.keys()].filter((name) => is.has(name)),
    [...is.keys()].filter((name) => was.has(name)),
  ]
  return [
    ...(added.length === 0 ? [] : [`added: ${added.join(', ')}`]),
    ...(removed.length === 0 ? [] : [`taken out: ${removed.join(', ')}`]),
    ...(kept.join() === keptNow.join() ? [] : [`order: ${keptNow.join(', ')}`]),
    ...keptNow.flatMap((name) => {
      const [old, now] = [was.get(name), is.get(name)]
      return old === undefined || now === undefined ? [] : changesOf(name, old, now)
    }),
  ]
}

function changesOf(name: string, was: Instance, is: Instance): string[] {
  const keys = [...new Set([...Object.keys(was.config), ...Object.keys(is.config)])]
  const config = keys.filter((key) => !equal(was.config[key], is.config[key]))
  return [
    ...(was.use === is.use ? [] : [`${name}: ${was.use} → ${is.use}`]),
    ...config.map((key) => `${name}: ${key} ${valueText(was.config[key])} → ${valueText(is.config[key])}`),
    ...(equal(was.proceed, is.proceed) ? [] : [`${name}: goes on after other verdicts`]),
  ]
}

const equal = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** A value of a configuration in a few characters. */
export function valueText(value: Instance['config'][string] | undefined): string {
  if (value === undefined) return 'unset'
  if (Array.isArray(value)) return value.length === 1 ? '1 item' : `${value.length} items`
  return String(value)
}
