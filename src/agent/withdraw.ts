import type { PublicKey } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { type FunctionSpec, type Instance, instanceName } from '../domain/function.ts'
import { HOOKS, type Hook } from '../domain/hook.ts'
import { compareVersions, fitsUse, releaseRef } from '../domain/names.ts'
import type { Proven, WithdrawnInstance } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { ChainSet } from './chain-set.ts'
import { dropEntry, isDropEntry } from './drop-entry.ts'
import type { ReadyEntry } from './instance.ts'
import type { NodePolicy } from './node-policy.ts'
import {
  entriesFrom,
  type OrderedFunction,
  type PreparedFunction,
  type PrepareParts,
  type ReadyFunction,
  requireNoStepBack,
  requireSoundStepBack,
  resolve,
  type Source,
  sourceOf,
  type Withdrawn,
} from './prepare.ts'
import { readableKeys } from './readable-keys.ts'
import { obtainRelease } from './release-source.ts'
import type { Judge } from './release-trust.ts'
import type { Vetting } from './vetting.ts'
import type { RevokedPart } from './wanted-chain.ts'

/**
 * A function without its instances for which there is nothing but what is revoked: their entries are left out, or, by
 * `onRevoke: drop`, drop every packet on their hooks. Each other instance is made from `source`, or from what it ran from last.
 * Throws what stands in the way of those, and of any where nothing is revoked.
 */
export async function prepareWithout(
  parts: PrepareParts,
  source: Source,
  { name, revision, spec }: OrderedFunction,
  policy: NodePolicy,
  last: Proven | undefined,
  chains: Pick<ChainSet, 'hooksOf' | 'revokedParts'>,
): Promise<PreparedFunction> {
  const entries: ReadyEntry[] = []
  const withdrawn: Withdrawn[] = []
  let first: DomainError | undefined
  for (const instance of spec.instances) {
    const made = await instanceFrom(parts, source, spec, instance, policy, last)
    if (made.entries !== undefined) {
      entries.push(...made.entries)
      continue
    }
    first ??= made.problem
    const runs = chains
      .revokedParts()
      .find((one) => one.function === name && one.instance === instanceName(instance))
    const { release = runs?.release } = made
    if (release === undefined) throw made.problem
    const action = spec.onRevoke === 'drop' ? 'drop' : 'detach'
    withdrawn.push({ instance: instanceName(instance), release, action, problem: made.problem })
    if (action !== 'drop') continue
    const hooks = made.hooks ?? chains.hooksOf(name, instanceName(instance))
    for (const hook of HOOKS)
      if (hooks.has(hook)) entries.push(dropEntry(name, instanceName(instance), release, hook))
  }
  if (withdrawn.length === 0) throw first ?? new DomainError('internal', `${name} has nothing revoked`)
  return { name, revision, spec, entries, proof: undefined, withdrawn }
}

/** What became of one instance: its entries, or why there are none, with the release that is revoked and its hooks. */
interface MadeInstance {
  readonly entries: ReadyEntry[] | undefined
  readonly problem: DomainError
  readonly release?: string | undefined
  readonly hooks?: Set<Hook> | undefined
}

async function instanceFrom(
  parts: PrepareParts,
  source: Source,
  spec: FunctionSpec,
  instance: Instance,
  policy: NodePolicy,
  last: Proven | undefined,
): Promise<MadeInstance> {
  const sources = last === undefined ? [source] : [source, sourceOf(last)]
  const failed: { error: DomainError; release?: string; hooks?: Set<Hook> | undefined }[] = []
  for (const from of sources) {
    let descriptor: ReleaseDescriptor | undefined
    try {
      descriptor = resolve(from, instance.use).descriptor
      requireNoStepBack(parts.vetting, spec, instance, descriptor, last)
      if (from === source) await requireSoundStepBack(parts, source, instance, last)
      const { entries } = await entriesFrom(parts, from.keys, spec, instance, descriptor, policy)
      return { entries, problem: new DomainError('internal', 'nothing is wrong') }
    } catch (thrown) {
      const error = asDomainError(thrown)
      if (error.code !== 'release_revoked' || descriptor === undefined) {
        failed.push({ error })
        continue
      }
      const { program } = descriptor
      const ran = last?.releases.find((one) => one.program === program && parts.vetting.revocationOf(one))
      const gone = ran ?? descriptor
      const keys = [...from.keys, ...readableKeys(last?.keys ?? [])]
      const hooks = await hooksOf(parts, keys, gone, policy)
      failed.push({ error, release: releaseRef(program, gone.version), hooks })
    }
  }
  const revoked = failed.find(({ release }) => release !== undefined)
  const problem = revoked?.error ?? failed[0]?.error ?? new DomainError('internal', 'there is no source')
  return { entries: undefined, problem, release: revoked?.release, hooks: revoked?.hooks }
}

/** The hooks of a revoked release by its verified manifest; undefined when that cannot be had. Nothing of it is loaded. */
async function hooksOf(
  { state, registry, signal, verdicts, clock }: PrepareParts,
  keys: readonly PublicKey[],
  descriptor: ReleaseDescriptor,
  policy: NodePolicy,
): Promise<Set<Hook> | undefined> {
  try {
    // neither the log nor an age is asked about: nothing of it is to run
    const judge: Judge = {
      ...{ policy, keys, verdicts, state, now: clock(), emergency: true },
      vet: async () => undefined,
    }
    const { manifest } = await obtainRelease(descriptor, judge, state, registry, signal)
    return new Set(manifest.programs.map(({ hook }) => hook))
  } catch {
    return undefined
  }
}

/**
 * Instances that run an older release than one of their range that is revoked, each with the newest of those. `ran` is what the
 * function ran from: a file that is revoked names no versions.
 */
export function steppedBack(
  vetting: Pick<Vetting, 'revokedVersions' | 'revocationOf'>,
  { spec, entries }: ReadyFunction,
  ran: readonly ReleaseDescriptor[],
): WithdrawnInstance[] {
  return spec.instances.flatMap((instance) => {
    const [name, program] = [instanceName(instance), programOf(instance.use)]
    const now = entries.find(({ record }) => record.instance === name && !isDropEntry(record))?.record.release
    if (now === undefined) return []
    const left = ran.filter((one) => one.program === program && vetting.revocationOf(one) !== undefined)
    const versions = [...vetting.revokedVersions(program), ...left.map(({ version }) => version)]
    const newest = versions
      .filter((version) => fitsUse(instance.use, program, version))
      .sort(compareVersions)
      .at(-1)
    if (newest === undefined || compareVersions(newest, now.slice(program.length + 1)) <= 0) return []
    return [{ instance: name, release: releaseRef(program, newest), action: 'previous' }]
  })
}

/** What became of a part of a chain that was revoked, by what its function runs now. */
export function actionOn(part: RevokedPart, ready: ReadyFunction | undefined): WithdrawnInstance['action'] {
  const now = ready?.entries.filter(({ record }) => record.instance === part.instance) ?? []
  if (now.length === 0) return 'detach'
  return now.every(({ record }) => isDropEntry(record)) ? 'drop' : 'previous'
}

/** The same in a line for the console. */
export function actionLine(part: RevokedPart, ready: ReadyFunction | undefined): string {
  const action = actionOn(part, ready)
  const where = `${part.release} is revoked: ${part.function}/${part.instance}`
  if (action === 'detach') return `${where} left its chains`
  if (action === 'drop') return `${where} drops every packet on its hooks`
  const now = ready?.entries.find(({ record }) => record.instance === part.instance)?.record.release
  return `${where} runs ${now} instead`
}
