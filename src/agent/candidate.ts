import { sha256Digest } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { Digest } from '../domain/names.ts'
import type { Proven } from '../domain/node.ts'
import { programOf } from '../domain/resolution.ts'
import type { ChainSet } from './chain-set.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators, type Standing } from './orders.ts'
import {
  type PreparedFunction,
  type PrepareParts,
  prepare,
  type ReadyFunction,
  requireSoundStepBack,
  type Source,
  sourceOf,
} from './prepare.ts'
import type { Earlier } from './proof.ts'
import { readableKeys } from './readable-keys.ts'
import type { Vetting } from './vetting.ts'
import { prepareWithout } from './withdraw.ts'

type ActiveStanding = Extract<Standing, { kind: 'active' }>

/** Where a function stands in a pass, and what it falls back to when it cannot be built. */
export interface Candidate {
  readonly standing: Standing
  /** What it is to run, undefined when it can only be left as it is. */
  ready: PreparedFunction | undefined
  problem: DomainError | undefined
  /** What else it may be made from, the best first. */
  readonly fallbacks: Fallback[]
}

type Fallback = () => Promise<PreparedFunction>

/** A function with what it is to run: what the desired state says of it, or what it last ran from. */
export async function candidate(
  parts: PrepareParts,
  source: Source,
  standing: Standing,
  policy: NodePolicy,
  {
    last,
    before,
    takenBack,
    chains,
  }: {
    readonly last: Proven | undefined
    readonly before: Earlier | undefined
    readonly takenBack: Digest | undefined
    readonly chains: Pick<ChainSet, 'undid' | 'hooksOf' | 'revokedParts'>
  },
): Promise<Candidate> {
  const { problem } = standing
  if (standing.kind !== 'active') return { standing, problem, ready: undefined, fallbacks: [] }
  const made = async (from: Source, by: ActiveStanding): Promise<PreparedFunction> => {
    const ready = await prepare(parts, from, by, policy, last)
    if (takenBack !== undefined && proofDigest(ready) === takenBack)
      throw new DomainError(
        'change_taken_back',
        `revision ${by.revision} of ${by.name} cut this node off from its registry`,
      )
    if (chains.undid(ready))
      throw new DomainError(
        'change_unconfirmed',
        `revision ${by.revision} of ${by.name} was not confirmed when the host went down`,
      )
    return ready
  }
  const isRevoked = last?.releases.some((one) => parts.vetting.revocationOf(one) !== undefined) === true
  const fallbacks = last === undefined ? [] : fallbacksOf(last, standing, policy, made)
  if (isRevoked && before !== undefined && standing.spec.onRevoke === 'previous')
    fallbacks.push(async () => ({ ...(await made(sourceOf(before), standing)), proof: undefined }))
  if (isTouched(parts.vetting, standing, [source, last], chains))
    fallbacks.push(() => prepareWithout(parts, source, standing, policy, last, chains))
  try {
    for (const instance of standing.spec.instances) await requireSoundStepBack(parts, source, instance, last)
    return { standing, problem, ready: await made(source, standing), fallbacks }
  } catch (error) {
    const ready = await firstOf(fallbacks)
    // what is wrong with an order hides no revocation
    const revoked = ready?.withdrawn?.[0]?.problem
    return { standing, problem: revoked ?? problem ?? asDomainError(error), ready, fallbacks }
  }
}

/** Whether anything of what a function may run, or runs, is revoked. */
function isTouched(
  vetting: Vetting,
  { name, spec }: ActiveStanding,
  sources: readonly (Pick<Source, 'releases'> | undefined)[],
  chains: Pick<ChainSet, 'revokedParts'>,
): boolean {
  const programs = new Set(spec.instances.map(({ use }) => programOf(use)))
  const named = sources.flatMap((source) => source?.releases ?? []).filter((one) => programs.has(one.program))
  return (
    named.some((one) => vetting.revocationOf(one) !== undefined) ||
    chains.revokedParts().some((part) => part.function === name)
  )
}

/**
 * What a function is made from when what the registry offers does not hold, as signed and checked as ever: the releases
 * that it last ran from under its newest order, then under the order that it last ran by. An interface that comes back, or
 * a host that restarts, gets its chain whatever the registry withholds.
 */
function fallbacksOf(
  last: Proven,
  standing: ActiveStanding,
  policy: NodePolicy,
  make: (from: Source, by: ActiveStanding) => Promise<PreparedFunction>,
): Fallback[] {
  const source = sourceOf(last)
  return [
    async () => ({ ...(await make(source, standing)), proof: undefined }),
    async () => {
      const operators = acceptedOperators(readableKeys([last.operatorKey]), policy.operators)
      const { order } = verifyOrder(last.envelope, operators)
      if (order.kind !== 'apply') throw new DomainError('order_invalid', 'a function cannot run by its end')
      const by = { ...standing, revision: order.revision, spec: order.function }
      return { ...(await make(source, by)), proof: undefined }
    },
  ]
}

/** What the first fallback that holds gives; those before it are used up. */
export async function firstOf(fallbacks: Fallback[]): Promise<PreparedFunction | undefined> {
  for (let next = fallbacks.shift(); next !== undefined; next = fallbacks.shift())
    try {
      return await next()
    } catch {} // the reason of the first attempt is the one to show
  return undefined
}

/** Tells what was made of a function: its order and the releases that it was resolved to. */
export const proofDigest = ({ revision, entries }: ReadyFunction): Digest =>
  sha256Digest(Buffer.from(JSON.stringify([revision, entries.map(({ record }) => record.spec)])))
