import { describe, expect, test } from 'vitest'
import { signOrder, verifyOrder } from '../../src/attest/order.ts'
import { Order, parseFunction } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { codeOf, craftEnvelope, newKey } from './craft.ts'

const TYPE = 'application/vnd.hookline.order+json'
const spec = parseFunction(`kind: function
name: edge
selector: { role: edge }
interfaces: ["eth*"]
instances:
  - { use: hookline/scrub@^1.0 }
  - { use: acme/limit@1.4.0, name: limit, config: { rate: 200 }, proceed: { xdp_limit: [pass] } }
`)
const order: Order = { kind: 'apply', revision: 3, function: spec }

describe.each(['p256', 'ed25519'] as const)('an order signed with %s', (algorithm) => {
  const operator = newKey(algorithm)
  const envelope = signOrder(order, operator)
  const codeFor = (text: string, keys = [operator.publicKey]): string => codeOf(() => verifyOrder(text, keys))
  const altered = (change: (envelope: ReturnType<typeof craftEnvelope>) => void): string => {
    const copy: ReturnType<typeof craftEnvelope> = JSON.parse(envelope)
    change(copy)
    return JSON.stringify(copy)
  }

  test('is read whole and names its operator', () => {
    const keys = [newKey().publicKey, operator.publicKey]
    expect(verifyOrder(envelope, keys)).toEqual({ order, operator: operator.fingerprint })
  })

  test('may be a removal', () => {
    const removal: Order = { kind: 'remove', revision: 4, name: 'edge' }
    expect(verifyOrder(signOrder(removal, operator), [operator.publicKey]).order).toEqual(removal)
  })

  test('is refused when its operator is not in the list, or the list is empty', () => {
    expect(codeFor(envelope, [newKey(algorithm).publicKey])).toBe('operator_not_allowed')
    expect(codeFor(envelope, [])).toBe('operator_not_allowed')
  })

  test('is refused when another operator is named', () => {
    const other = newKey(algorithm)
    const swapped = altered((copy) => {
      copy.signatures = [{ keyid: other.fingerprint, sig: copy.signatures[0]?.sig ?? '' }]
    })
    expect(codeFor(swapped, [operator.publicKey, other.publicKey])).toBe('order_signature_invalid')
  })

  test('is refused without a keyid', () => {
    const bare = altered((copy) => {
      copy.signatures = [{ keyid: '', sig: copy.signatures[0]?.sig ?? '' }]
    })
    expect(codeFor(bare)).toBe('operator_not_allowed')
  })

  test.each<[string, (text: string) => string]>([
    ['a configuration value', (text) => text.replace('"rate":200', '"rate":201')],
    ['a revision', (text) => text.replace('"revision":3', '"revision":9')],
    ['an interface', (text) => text.replace('eth*', 'eth0')],
    ['the selector', (text) => text.replace('{"role":"edge"}', '{}')],
    [
      'the order of instances',
      (text) => text.replace('hookline/scrub', 'acme/zz').replace('acme/limit', 'hookline/scrub'),
    ],
  ])('is refused with %s changed', (_, change) => {
    const text = altered((copy) => {
      const before = Buffer.from(copy.payload, 'base64').toString()
      const after = change(before)
      expect(after).not.toBe(before)
      copy.payload = Buffer.from(after).toString('base64')
    })
    expect(codeFor(text)).toBe('order_signature_invalid')
  })

  test('is refused with the type of the document changed', () => {
    const text = altered((copy) => {
      copy.payloadType = 'application/json'
    })
    expect(codeFor(text)).toBe('order_signature_invalid')
  })
})

describe('what an operator signed, but is no order', () => {
  const operator = newKey()
  const signed = (payload: string | Buffer, type = TYPE): string =>
    codeOf(() =>
      verifyOrder(JSON.stringify(craftEnvelope(payload, { type, key: operator })), [operator.publicKey]),
    )
  const text = JSON.stringify(order)

  test('the same way of making an envelope is accepted for an order', () => {
    expect(signed(text)).toBe('no error')
  })

  test.each<[string, string | Buffer]>([
    ['null', 'null'],
    ['an empty document', ''],
    ['an unknown kind', text.replace('"apply"', '"pause"')],
    ['an unknown field', text.replace('"revision":3', '"revision":3,"force":true')],
    ['a revision of 0', text.replace('"revision":3', '"revision":0')],
    ['a revision named twice', text.replace('"revision":3', '"revision":3,"revision":4')],
    ['a selector named twice', text.replace('"selector":', '"selector":{},"selector":')],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
  ])('%s', (_, payload) => {
    expect(signed(payload)).toBe('order_invalid')
  })

  test('an order signed as another type of document', () => {
    expect(signed(text, 'application/vnd.in-toto+json')).toBe('order_invalid')
  })
})

describe('envelopes that are not read', () => {
  const operator = newKey()
  const envelope = signOrder(order, operator)
  const parsed: ReturnType<typeof craftEnvelope> = JSON.parse(envelope)
  const [signature] = parsed.signatures

  test.each<[string, string]>([
    ['{}', '{}'],
    ['null', 'null'],
    ['no JSON', 'order'],
    ['nothing', ''],
    ['two signatures', JSON.stringify({ ...parsed, signatures: [signature, signature] })],
    ['no signature', JSON.stringify({ ...parsed, signatures: [] })],
    ['an unknown field', JSON.stringify({ ...parsed, extra: 1 })],
    ['a payload named twice', envelope.replace('"payload":', '"payload":"AAAA","payload":')],
    ['too many bytes', envelope.padEnd(LIMITS.order_bytes + 1)],
  ])('%s', (_, text) => {
    expect(codeOf(() => verifyOrder(text, [operator.publicKey]))).toBe('order_invalid')
  })
})

describe('signing an order', () => {
  test('refuses what a node would refuse to read', () => {
    const wrong = { kind: 'apply', revision: 0, function: spec } as Order
    expect(Order.safeParse(wrong).success).toBe(false)
    expect(codeOf(() => signOrder(wrong, newKey()))).toBe('order_invalid')
  })

  test('refuses an order whose envelope is too large', () => {
    const config = { rules: Array.from({ length: 25_000 }, () => ({ text: 'x'.repeat(256) })) }
    const big: Order = {
      ...order,
      function: { ...spec, instances: [{ use: 'acme/limit@1.0.0', config, proceed: {} }] },
    }
    expect(codeOf(() => signOrder(big, newKey()))).toBe('too_large')
  })
})
