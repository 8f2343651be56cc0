import type { PublicKey } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { type FunctionSpec, type Labels, type Order, orderName, selects } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { AcceptedOrder, Desired } from '../domain/node.ts'

/** What a node makes of one function after looking at all orders it holds and was sent. */
export type Standing =
  /** The newest accepted order selects this node. */
  | {
      readonly kind: 'active'
      readonly name: string
      readonly revision: number
      readonly spec: FunctionSpec
      readonly accepted: AcceptedOrder
      readonly problem?: DomainError
    }
  /** A signed order ended it, or no longer selects this node. */
  | {
      readonly kind: 'ended'
      readonly name: string
      readonly revision: number
      readonly problem?: DomainError
    }
  /** Nothing may be changed: what runs goes on, because no order that could be obeyed speaks of it. */
  | { readonly kind: 'held'; readonly name: string; readonly revision: number; readonly problem: DomainError }

/** The result of {@link reviewOrders}: orders newly accepted, to be kept, and where each function stands. */
export interface OrderReview {
  readonly accepted: readonly AcceptedOrder[]
  readonly standings: readonly Standing[]
}

/**
 * Looks at every order sent, beside those held, and decides by signature, operator and revision; pure. A function that
 * is held but was not sent goes on: absence ends nothing, since a registry could make anything absent. Its problem then is
 * `order_withheld`: an honest registry sends every function that was ever for this node, also those that ended. The name
 * and revision beside an envelope are the registry's word and only decide where a refusal is shown.
 *
 * `operators` are the keys that the node's policy accepts.
 */
export function reviewOrders(
  sent: Desired['functions'],
  held: readonly AcceptedOrder[],
  operators: readonly PublicKey[],
  labels: Labels,
): OrderReview {
  const seen = new Map(held.map((order) => [order.name, order]))
  const newest = new Map([...seen].filter(([, { elsewhere }]) => elsewhere === undefined))
  const accepted = new Map<string, AcceptedOrder>()
  const problems = new Map<string, DomainError>()
  const names = new Set(sent.map(({ name }) => name))
  for (const { name, envelope } of sent) {
    try {
      const reviewed = reviewOne(envelope, name, operators, labels, seen)
      if (reviewed === undefined) continue
      const { order, problem } = reviewed
      if (problem === undefined) newest.set(name, order)
      else problems.set(name, problem)
      if (!isToKeep(order, seen)) continue
      seen.set(name, order)
      accepted.set(name, order)
    } catch (error) {
      problems.set(name, asDomainError(error))
    }
  }
  const standings = [...newest.values()].map((order) =>
    standingOf(order, operators, labels, names.has(order.name), problems.get(order.name)),
  )
  const strangers = [...problems].filter(([name]) => !newest.has(name)).slice(0, LIMITS.agent_strangers)
  for (const [name, problem] of strangers) standings.push({ kind: 'held', name, revision: 0, problem })
  return { accepted: [...accepted.values()], standings }
}

/**
 * The order to accept, or undefined when it is the one held already; one for other nodes with that as its problem. Throws
 * the reason of a refusal.
 */
function reviewOne(
  envelope: string,
  claimedName: string,
  operators: readonly PublicKey[],
  labels: Labels,
  seen: ReadonlyMap<string, AcceptedOrder>,
): { order: AcceptedOrder; problem?: DomainError } | undefined {
  const held = seen.get(claimedName)
  if (held?.envelope === envelope && held.elsewhere === undefined) return undefined
  const { order, operator } = verifyOrder(envelope, operators)
  const name = orderName(order)
  if (name !== claimedName)
    throw new DomainError(
      'order_invalid',
      `the registry shows an order for ${name} as one for ${claimedName}`,
    )
  // an old order replayed would undo a newer one; an equal revision with other content is two orders in one's clothes
  if (held !== undefined && held.envelope !== envelope && order.revision <= held.revision)
    throw new DomainError(
      'stale_revision',
      `order ${order.revision} of ${name} is not newer than ${held.revision}, which this node has seen`,
    )
  const key = operators.find(({ fingerprint }) => fingerprint === operator)
  const operatorKey = key?.spki.toString('base64') ?? ''
  const accepted = { name, revision: order.revision, envelope, operatorKey }
  const isHere = held !== undefined && held.elsewhere === undefined
  if (isHere || order.kind === 'remove' || selects(order.function.selector, labels))
    return { order: accepted }
  const problem = new DomainError(
    'selector_mismatch',
    `function ${name} is for nodes with ${describe(order.function.selector)}`,
  )
  return { order: { ...accepted, elsewhere: true }, problem }
}

/** Whether an order is news to be kept; one for other nodes is kept so that older ones are refused, as long as there is room. */
function isToKeep(
  { name, envelope, elsewhere }: AcceptedOrder,
  seen: ReadonlyMap<string, AcceptedOrder>,
): boolean {
  if (elsewhere === undefined) return true
  const held = seen.get(name)
  if (held !== undefined) return held.envelope !== envelope
  return [...seen.values()].filter((one) => one.elsewhere).length < LIMITS.agent_orders_elsewhere
}

/** Reads an accepted order again, signature first: the disk is not trusted either. */
function standingOf(
  accepted: AcceptedOrder,
  operators: readonly PublicKey[],
  labels: Labels,
  wasSent: boolean,
  problem: DomainError | undefined,
): Standing {
  const { name, revision } = accepted
  let order: Order
  try {
    order = verifyOrder(accepted.envelope, operators).order
  } catch (error) {
    return { kind: 'held', name, revision, problem: problem ?? asDomainError(error) }
  }
  const also = problem === undefined ? {} : { problem }
  if (order.kind === 'remove' || !selects(order.function.selector, labels))
    return { kind: 'ended', name, revision, ...also }
  const active = { kind: 'active', name, revision, spec: order.function, accepted } as const
  return wasSent ? { ...active, ...also } : { ...active, problem: withheld(accepted) }
}

const withheld = ({ name, revision }: AcceptedOrder): DomainError =>
  new DomainError(
    'order_withheld',
    `the registry no longer sends order ${revision} of ${name}, and no signed order ended it: it goes on`,
  )

const describe = (labels: Labels): string =>
  Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(', ')

/** Of the keys a registry sent and those kept with orders, the ones that the policy names as operators. */
export const acceptedOperators = (
  keys: readonly PublicKey[],
  allowed: readonly { key: Digest }[],
): PublicKey[] => keys.filter(({ fingerprint }) => allowed.some(({ key }) => key === fingerprint))
