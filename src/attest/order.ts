import { DomainError } from '../domain/errors.ts'
import { Order, orderName, parseOrder } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import { parseDocument } from './document.ts'
import { Envelope, preAuthEncoding } from './dsse.ts'
import type { PrivateKey, PublicKey } from './keys.ts'
import { holds, signBytes } from './signature.ts'

/** Type of the signed document. It is part of what is signed: a release's signature is never one over an order. */
const ORDER_TYPE = 'application/vnd.hookline.order+json'

/**
 * Signs an order as a DSSE envelope (JSON text) whose keyid is the operator's fingerprint. Throws `order_invalid` for an
 * order that a node would refuse to read, and `too_large` beyond `LIMITS.order_bytes`.
 */
export function signOrder(order: Order, privateKey: PrivateKey): string {
  const payload = Buffer.from(JSON.stringify(parseOrder(order)))
  const signature = signBytes(preAuthEncoding(ORDER_TYPE, payload), privateKey)
  const envelope = JSON.stringify({
    payload: payload.toString('base64'),
    payloadType: ORDER_TYPE,
    signatures: [{ keyid: privateKey.fingerprint, sig: signature.toString('base64') }],
  })
  if (Buffer.byteLength(envelope) > LIMITS.order_bytes)
    throw new DomainError(
      'too_large',
      `the order for ${orderName(order)} is larger than ${LIMITS.order_bytes} bytes`,
    )
  return envelope
}

/**
 * Checks that one of `operators`, which the caller has already restricted to those it obeys, signed the order, and gives
 * both. The payload is parsed only after its signature held: a parser is not for strangers to play with. That the
 * revision is new enough is the caller's to check.
 *
 * Throws `order_invalid`, `operator_not_allowed`, `order_signature_invalid`.
 */
export function verifyOrder(
  envelope: string,
  operators: readonly PublicKey[],
): { order: Order; operator: Digest } {
  if (Buffer.byteLength(envelope) > LIMITS.order_bytes)
    throw new DomainError('order_invalid', `order: it is larger than ${LIMITS.order_bytes} bytes`)
  const { payload, payloadType, signatures } = parseDocument(envelope, Envelope, 'order_invalid', 'order')
  const [{ keyid, sig }] = signatures
  const operator = operators.find(({ fingerprint }) => fingerprint === keyid)
  if (operator === undefined)
    throw new DomainError(
      'operator_not_allowed',
      `the order is signed by ${JSON.stringify(keyid)}, no operator here`,
    )
  const bytes = Buffer.from(payload, 'base64')
  if (!holds(preAuthEncoding(payloadType, bytes), Buffer.from(sig, 'base64'), operator))
    throw new DomainError(
      'order_signature_invalid',
      `the order's signature is not that of ${operator.fingerprint}`,
    )
  if (payloadType !== ORDER_TYPE)
    throw new DomainError('order_invalid', `order: the signed document is ${JSON.stringify(payloadType)}`)
  return { order: parseDocument(bytes, Order, 'order_invalid', 'order'), operator: operator.fingerprint }
}

/**
 * What an envelope says, for showing it to people: nobody's signature was checked, so nothing may be done by it.
 * `operator` is only claimed. Throws `order_invalid`.
 */
export function describeOrder(envelope: string): { order: Order; operator: string } {
  const { payload, signatures } = parseDocument(envelope, Envelope, 'order_invalid', 'order')
  const order = parseDocument(Buffer.from(payload, 'base64'), Order, 'order_invalid', 'order')
  return { order, operator: signatures[0].keyid }
}
