import type { PublicKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionStep } from '../domain/fleet-function.ts'
import type { FunctionSpec } from '../domain/function.ts'
import { fitsUse, parseRef, releaseRef } from '../domain/names.ts'
import { knownOperators, type OperatorFlags, readSigned, standingOf } from './current-revision.ts'
import { handIn } from './function-apply.ts'
import type { Context, Outcome } from './io.ts'
import { readPrivateKey } from './key-file.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { timeText } from './terminal.ts'

/** Flags of `hookline function rollback`. */
export interface RollbackFlags extends RegistryFlags, OperatorFlags {
  readonly name: string
  readonly key: string
  readonly toRevision?: number | undefined
}

/**
 * Goes back to an earlier step of a function by a new revision that pins that step's versions. The step comes from the
 * registry and is not believed: its order must carry the signature of the operator who rolls back, or of one named, and its
 * versions must fit the ranges that were signed. So is the revision that it stands at: see {@link standingOf}. Throws
 * `not_found`, `order_*`, `operator_not_allowed`, `outside_range`.
 */
export async function rollbackFunction(flags: RollbackFlags, { io, progress }: Context): Promise<Outcome> {
  const key = await readPrivateKey(flags.key, io, flags)
  const operators = await knownOperators(key, flags)
  const client = await connectWithToken(io, flags)
  const standing = await standingOf(client, flags.name, operators, flags)
  if (standing.state === 'unknown') throw new DomainError('not_found', `there is no function ${flags.name}`)
  const removed = standing.state === 'removed'
  const step = chooseStep(await client.history(flags.name), { ...flags, removed })
  const spec = pinned(readStep(step, flags.name, operators), step)
  const revision = standing.revision + 1
  progress(`signing revision ${revision} of ${flags.name} as ${key.fingerprint}`)
  const view = await handIn(client, { kind: 'apply', revision, function: spec }, key)
  const pins = spec.instances.map(({ use }) => use)
  return {
    json: { name: view.name, revision: view.revision, from: { revision: step.revision, at: step.at }, pins },
    text: [
      `function ${view.name} revision ${view.revision} goes back to revision ${step.revision} of ${timeText(step.at)}, pinned to:`,
      ...pins.map((pin) => `- ${pin}`),
    ].join('\n'),
  }
}

/**
 * The step to go back to; `steps` is newest first. A removal is no step: of a removed function the newest step is what ran
 * last. Throws `not_found`.
 */
export function chooseStep(
  steps: readonly FunctionStep[],
  { name, toRevision, removed }: Pick<RollbackFlags, 'name' | 'toRevision'> & { removed: boolean },
): FunctionStep {
  const current = removed ? undefined : steps[0]
  const step =
    toRevision === undefined
      ? steps.find((earlier) => earlier.resolutions.length > 0 && versionsOf(earlier) !== versionsOf(current))
      : steps.find(({ revision, resolutions }) => revision === toRevision && resolutions.length > 0)
  if (step !== undefined) return step
  throw new DomainError(
    'not_found',
    toRevision === undefined
      ? `function ${name} never ran other versions than now; name a step with --to-revision, see hookline function show ${name}`
      : `function ${name} has no revision ${toRevision} to go back to, see hookline function show ${name}`,
  )
}

/** The programs and versions of a step, whatever ranges they came from. */
const versionsOf = (step: FunctionStep | undefined): string =>
  [
    ...new Set(
      (step?.resolutions ?? []).map(({ use, version }) => releaseRef(parseRef(use).program, version)),
    ),
  ]
    .sort()
    .join(' ')

function readStep(step: FunctionStep, name: string, operators: readonly PublicKey[]): FunctionSpec {
  const order = readSigned(step, name, operators)
  if (order.kind === 'apply') return order.function
  throw new DomainError('order_invalid', `the registry's revision ${step.revision} of ${name} is its removal`)
}

/** The function with every range replaced by the exact version of the step. Throws `outside_range`, `version_not_found`. */
export function pinned(spec: FunctionSpec, { resolutions }: FunctionStep): FunctionSpec {
  const instances = spec.instances.map((instance) => {
    const { program } = parseRef(instance.use)
    const version = resolutions.find(({ use }) => use === instance.use)?.version
    if (version === undefined)
      throw new DomainError('version_not_found', `that step does not say what ${instance.use} was`)
    if (!fitsUse(instance.use, program, version))
      throw new DomainError(
        'outside_range',
        `the registry says that ${instance.use} was ${version}, which does not fit`,
      )
    return { ...instance, use: releaseRef(program, version) }
  })
  return { ...spec, instances }
}
