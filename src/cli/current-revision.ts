import type { PrivateKey, PublicKey } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { FunctionView } from '../domain/fleet-function.ts'
import { type Order, orderName } from '../domain/function.ts'
import { type PassphraseFlags, readPublicKey } from './key-file.ts'

const OR_TRUST = ', or take the number from the registry by --trust-registry-revision'

/** How a person says whose orders count as a function's past. */
export interface OperatorFlags extends PassphraseFlags {
  /** Public keys of operators beside the one who signs. */
  readonly operatorKey: readonly string[]
  /** Take a revision from the registry whoever signed it. */
  readonly trustRegistryRevision: boolean
}

/** The operators whose orders count: who signs now, and those who are named. Throws `invalid_key`, `file_unreadable`. */
export async function knownOperators(key: PrivateKey, flags: OperatorFlags): Promise<PublicKey[]> {
  const named: PublicKey[] = []
  for (const path of flags.operatorKey) named.push(await readPublicKey(path))
  return [key.publicKey, ...named]
}

/** Where a function stands: revision 0 is that of one that does not exist yet. */
export interface Standing {
  readonly revision: number
  readonly state: FunctionView['state'] | 'unknown'
}

/**
 * Where a function stands, by an order that a known operator signed. The registry cannot make it jump ahead: a revision near
 * the highest, once signed, would leave no room for another order, ever. It can hold back newer orders, and gains nothing:
 * nodes refuse what is not newer than what they saw. Throws `operator_not_allowed`, `order_invalid`,
 * `order_signature_invalid`, and what the registry's answer throws.
 */
export async function standingOf(
  client: Pick<RegistryClient, 'function'>,
  name: string,
  operators: readonly PublicKey[],
  { trustRegistryRevision }: OperatorFlags,
): Promise<Standing> {
  const view = await client.function(name).catch((thrown: unknown) => {
    if (thrown instanceof DomainError && thrown.code === 'not_found') return undefined
    throw thrown
  })
  if (view === undefined) return { revision: 0, state: 'unknown' }
  if (trustRegistryRevision) return view
  const order = readSigned(view, name, operators, OR_TRUST)
  return { revision: order.revision, state: order.kind === 'apply' ? 'applied' : 'removed' }
}

/**
 * The order in an envelope that the registry gives as revision `revision` of function `name`. A genuine order of another
 * function, or of another time, in this place would count under this name. `otherwise` ends
 * the advice about an unknown operator. Throws as {@link standingOf}.
 */
export function readSigned(
  { revision, envelope }: Pick<FunctionView, 'revision' | 'envelope'>,
  name: string,
  operators: readonly PublicKey[],
  otherwise = '',
): Order {
  const order = verifiedOrder(envelope, `revision ${revision} of ${name}`, operators, otherwise)
  if (orderName(order) !== name || order.revision !== revision)
    throw new DomainError(
      'order_invalid',
      `what the registry gives as revision ${revision} of ${name} is ${described(order)}`,
    )
  return order
}

function verifiedOrder(
  envelope: string,
  what: string,
  operators: readonly PublicKey[],
  otherwise: string,
): Order {
  try {
    return verifyOrder(envelope, operators).order
  } catch (cause) {
    const { code, message } = asDomainError(cause)
    const help =
      code === 'operator_not_allowed'
        ? `; name its key by --operator-key if that operator is known to you${otherwise}`
        : ''
    throw new DomainError(code, `${what}: ${message}${help}`, { cause })
  }
}

const described = (order: Order): string =>
  `${order.kind === 'apply' ? 'revision' : 'the removal by revision'} ${order.revision} of ${orderName(order)}`
