import { parsePublicKey } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import type { Actor } from '../domain/access.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionView } from '../domain/fleet-function.ts'
import { type Order, orderName, requireSupportedFunction } from '../domain/function.ts'
import type { Fleet } from '../ports/fleet.ts'

/**
 * Puts a signed order about function `name` into force. The registry checks what a node will check
 * again, so that an order that no node would accept is refused where its operator sees it.
 *
 * Throws `order_invalid` (also for another kind of order, or another function's), `order_signature_invalid`,
 * `operator_not_allowed`, `not_supported_yet`, `revision_conflict`, `not_found`, `too_large`.
 */
export async function putOrder(
  fleet: Pick<Fleet, 'operatorKeys' | 'putOrder'>,
  actor: Actor,
  name: string,
  kind: Order['kind'],
  envelope: string,
): Promise<FunctionView> {
  const operators = (await fleet.operatorKeys()).map(({ spki }) => parsePublicKey(spki))
  const { order, operator } = verifyOrder(envelope, operators)
  if (order.kind !== kind)
    throw new DomainError(
      'order_invalid',
      `the order is to ${order.kind} a function, the request to ${kind} one`,
    )
  if (orderName(order) !== name)
    throw new DomainError('order_invalid', `the order is about function "${orderName(order)}", not "${name}"`)
  if (order.kind === 'apply') requireSupportedFunction(order.function)
  return fleet.putOrder({ order, envelope, operator }, actor)
}
