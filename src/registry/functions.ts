import { parsePublicKey } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionView } from '../domain/fleet-function.ts'
import { type Order, orderName } from '../domain/function.ts'
import { programOf, usesOf } from '../domain/resolution.ts'
import type { Catalog } from '../ports/catalog.ts'
import type { Fleet } from '../ports/fleet.ts'
import { readableBy } from './access.ts'

/**
 * Puts a signed order about function `name` into force. The registry checks what a node will check
 * again, so that an order that no node would accept is refused where its operator sees it.
 *
 * Throws `order_invalid` (also for another kind of order, or another function's), `order_signature_invalid`,
 * `operator_not_allowed`, `revision_conflict`, `too_large`, `not_found` also for a program that is not
 * there, or that the actor may not read.
 */
export async function putOrder(
  { fleet, catalog }: { fleet: Pick<Fleet, 'operatorKeys' | 'putOrder'>; catalog: Pick<Catalog, 'program'> },
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
  if (order.kind === 'apply') {
    // nodes may read what their orders name: nobody lets them read what he may not read himself
    for (const program of new Set(usesOf(order).map(programOf)))
      await catalog.program(program, readableBy(actor))
  }
  return fleet.putOrder({ order, envelope, operator }, actor)
}
