import { describe, expect, test } from 'vitest'
import { acceptedOperators, type OrderReview, reviewOrders, type Standing } from '../../src/agent/orders.ts'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { AcceptedOrder, Desired } from '../../src/domain/node.ts'
import { craftEnvelope, newKey } from '../attest/craft.ts'

const operator = newKey()
const other = newKey('p256')
const OPERATORS = [operator.publicKey, other.publicKey]
const LABELS = { role: 'edge', zone: 'a' }

interface Told {
  readonly name?: string
  readonly key?: PrivateKey
  readonly selector?: Record<string, string>
  readonly priority?: number
  readonly spec?: object
}

const apply = (
  revision: number,
  { name = 'edge', key = operator, selector = { role: 'edge' }, priority = 100, spec = {} }: Told = {},
) =>
  signOrder(
    {
      kind: 'apply',
      revision,
      function: FunctionSpec.parse({
        ...{ kind: 'function', name, priority, selector, interfaces: ['eth*'] },
        instances: [{ use: 'acme/limit@^1.0' }],
        ...spec,
      }),
    },
    key,
  )
const remove = (revision: number, name = 'edge'): string =>
  signOrder({ kind: 'remove', revision, name }, operator)

const sent = (envelope: string, name = 'edge', revision = 1): Desired['functions'][number] => ({
  name,
  revision,
  envelope,
})
const held = (revision: number, envelope: string, name = 'edge'): AcceptedOrder => ({
  ...{ name, revision, envelope },
  operatorKey: operator.publicKey.spki.toString('base64'),
})
const review = (
  orders: Desired['functions'],
  before: readonly AcceptedOrder[] = [],
  operators = OPERATORS,
): OrderReview => reviewOrders(orders, before, operators, LABELS)

/** What a node makes of one function: `active r3`, `held r3 code`. */
const said = ({ standings }: OrderReview): string[] =>
  standings.map(({ kind, name, revision, problem }: Standing) =>
    [kind, name, `r${revision}`, ...(problem === undefined ? [] : [problem.code])].join(' '),
  )
const accepted = ({ accepted: orders }: OrderReview): string[] =>
  orders.map(({ name, revision }) => `${name} r${revision}`)

describe('an order that was not seen before', () => {
  test('is accepted, with its envelope byte for byte and its operator’s key', () => {
    const envelope = apply(1)
    const result = review([sent(envelope)])
    expect(result.accepted).toEqual([held(1, envelope)])
    expect(said(result)).toEqual(['active edge r1'])
    expect(result.standings[0]).toMatchObject({ spec: { name: 'edge', interfaces: ['eth*'] } })
  })
  test('is accepted again and again without being new: the same bytes change nothing', () => {
    const envelope = apply(4)
    const result = review([sent(envelope)], [held(4, envelope)])
    expect(result.accepted).toEqual([])
    expect(said(result)).toEqual(['active edge r4'])
  })
  test('takes the place of an older one', () => {
    const result = review([sent(apply(5))], [held(4, apply(4))])
    expect([accepted(result), said(result)]).toEqual([['edge r5'], ['active edge r5']])
  })
  test('is the newest of several about one function, in whatever order they come', () => {
    const result = review([sent(apply(2)), sent(apply(3)), sent(apply(1))])
    expect([accepted(result), said(result)]).toEqual([['edge r3'], ['active edge r3 stale_revision']])
  })
  test('may come from any operator of the policy', () => {
    const result = review([sent(apply(2, { key: other }))], [held(1, apply(1))])
    expect(said(result)).toEqual(['active edge r2'])
    expect(result.accepted[0]?.operatorKey).toBe(other.publicKey.spki.toString('base64'))
  })
})

describe('an order that undoes a newer one is refused, and what was accepted stands', () => {
  test('when it is older', () => {
    const result = review([sent(apply(2))], [held(3, apply(3))])
    expect([accepted(result), said(result)]).toEqual([[], ['active edge r3 stale_revision']])
  })
  test('when it is another of the same revision', () => {
    const result = review([sent(apply(3, { priority: 7 }))], [held(3, apply(3))])
    expect([accepted(result), said(result)]).toEqual([[], ['active edge r3 stale_revision']])
  })
  test('when it is a removal of an earlier life of the function', () => {
    const result = review([sent(remove(2))], [held(3, apply(3))])
    expect(said(result)).toEqual(['active edge r3 stale_revision'])
  })
  test('when it applies what was removed since', () => {
    const result = review([sent(apply(2))], [held(3, remove(3))])
    expect([accepted(result), said(result)]).toEqual([[], ['ended edge r3 stale_revision']])
  })
  test('whatever revision the registry writes beside it', () => {
    const result = review([sent(apply(2), 'edge', 99)], [held(3, apply(3))])
    expect(said(result)).toEqual(['active edge r3 stale_revision'])
  })
})

describe('a forged order is refused', () => {
  const altered = (): string => {
    const envelope: { payload: string } = JSON.parse(apply(2))
    const text = Buffer.from(envelope.payload, 'base64')
      .toString()
      .replace('"priority":100', '"priority":101')
    return JSON.stringify({ ...envelope, payload: Buffer.from(text).toString('base64') })
  }
  test.each([
    ['by a stranger’s key', apply(2, { key: newKey() }), 'operator_not_allowed'],
    ['altered after it was signed', altered(), 'order_signature_invalid'],
    ['shown as one of another function', apply(2, { name: 'core' }), 'order_invalid'],
    ['that is no order', 'not even JSON', 'order_invalid'],
    [
      'that was signed as another kind of document',
      JSON.stringify(craftEnvelope('{}', { type: 'application/vnd.in-toto+json', key: operator })),
      'order_invalid',
    ],
  ])('%s', (_, envelope, code) => {
    const fresh = review([sent(envelope)])
    expect([accepted(fresh), said(fresh)]).toEqual([[], [`held edge r0 ${code}`]])
    const beside = review([sent(envelope)], [held(1, apply(1))])
    expect([accepted(beside), said(beside)]).toEqual([[], [`active edge r1 ${code}`]])
  })
  test('and does not take a genuine one of another function with it', () => {
    const result = review([sent('junk', 'core'), sent(apply(1))])
    expect(said(result).sort()).toEqual(['active edge r1', 'held core r0 order_invalid'])
  })
})

describe('absence ends nothing', () => {
  test('a function that is no longer sent goes on, and that is said', () => {
    expect(said(review([], [held(3, apply(3))]))).toEqual(['active edge r3 order_withheld'])
  })
  test('of several only the one that is left out is withheld, until it is sent again', () => {
    const core = apply(2, { name: 'core' })
    const both = [held(3, apply(3)), held(2, core, 'core')]
    expect(said(review([sent(core, 'core')], both))).toEqual([
      'active edge r3 order_withheld',
      'active core r2',
    ])
    expect(said(review([sent(core, 'core'), sent(apply(3))], both))).toEqual([
      'active edge r3',
      'active core r2',
    ])
  })
  test('one that is shown under another name is withheld under its own', () => {
    expect(said(review([sent(apply(3), 'core')], [held(3, apply(3))]))).toEqual([
      'active edge r3 order_withheld',
      'held core r0 order_invalid',
    ])
  })
  test('one whose order is shown altered is not withheld, but refused', () => {
    expect(said(review([sent('junk')], [held(3, apply(3))]))).toEqual(['active edge r3 order_invalid'])
  })
  test.each([
    ['a signed removal', remove(4)],
    ['a newer order for other nodes', apply(4, { selector: { role: 'core' } })],
  ])('what %s ended is not withheld when that is no longer sent', (_, envelope) => {
    expect(said(review([], [held(4, envelope)]))).toEqual(['ended edge r4'])
  })
  test('what no longer selects this node, whose labels changed, is not withheld', () => {
    const { standings } = reviewOrders([], [held(3, apply(3))], OPERATORS, { role: 'core' })
    expect(standings).toEqual([{ kind: 'ended', name: 'edge', revision: 3 }])
  })
  test('a node that never was given an order misses none', () => {
    expect(said(review([]))).toEqual([])
  })
  test('a signed removal ends it, and is kept against replays', () => {
    const result = review([sent(remove(4))], [held(3, apply(3))])
    expect([accepted(result), said(result)]).toEqual([['edge r4'], ['ended edge r4']])
  })
  test('a removal of what this node never ran is kept too', () => {
    const result = review([sent(remove(4))])
    expect([accepted(result), said(result)]).toEqual([['edge r4'], ['ended edge r4']])
  })
  test('a function comes back by an order that is newer than its removal', () => {
    expect(said(review([sent(apply(5))], [held(4, remove(4))]))).toEqual(['active edge r5'])
  })
})

describe('an operator who left the policy', () => {
  test('can end or change nothing, and what he ordered is held as it runs', () => {
    const result = review([], [held(3, apply(3))], [other.publicKey])
    expect(said(result)).toEqual(['held edge r3 operator_not_allowed'])
  })
  test('is replaced by another’s newer order', () => {
    const result = review([sent(apply(4, { key: other }))], [held(3, apply(3))], [other.publicKey])
    expect([accepted(result), said(result)]).toEqual([['edge r4'], ['active edge r4']])
  })
})

describe('a selector', () => {
  test.each([
    ['nothing', {}],
    ['one label', { zone: 'a' }],
    ['all labels', LABELS],
  ])('that asks %s of a node that has it is obeyed', (_, selector) => {
    expect(said(review([sent(apply(1, { selector }))]))).toEqual(['active edge r1'])
  })
  test.each([
    ['another value', { role: 'core' }],
    ['one label more', { ...LABELS, rack: '7' }],
  ])('that asks %s makes a new function not this node’s', (_, selector) => {
    const result = review([sent(apply(1, { selector }))])
    expect(said(result)).toEqual(['held edge r0 selector_mismatch'])
  })
  test('that asks for other nodes is remembered: what is older is not for this node either', () => {
    const newer = apply(5, { selector: { role: 'core' } })
    const { accepted: kept } = review([sent(newer)])
    expect(kept).toEqual([{ ...held(5, newer), elsewhere: true }])
    expect(said(review([], kept))).toEqual([]) // it is nothing to tell of
    const again = review([sent(newer)], kept)
    expect([accepted(again), said(again)]).toEqual([[], ['held edge r0 selector_mismatch']])
    for (const older of [apply(4), apply(5)]) {
      const replayed = review([sent(older)], kept)
      expect([accepted(replayed), said(replayed)]).toEqual([[], ['held edge r0 stale_revision']])
    }
    const newest = review([sent(apply(6))], kept)
    expect([newest.accepted, said(newest)]).toEqual([[held(6, apply(6))], ['active edge r6']])
  })
  test('that asks for other nodes is obeyed once this is one of them', () => {
    const envelope = apply(5, { selector: { role: 'edge' } })
    const result = review([sent(envelope)], [{ ...held(5, envelope), elsewhere: true }])
    expect([result.accepted, said(result)]).toEqual([[held(5, envelope)], ['active edge r5']])
  })
  test('that asks for other nodes is not remembered without end', () => {
    const most = LIMITS.agent_orders_elsewhere
    const full = Array.from({ length: most }, (_, at) => ({
      ...held(1, '{}', `f${at}`),
      elsewhere: true as const,
    }))
    const other = apply(5, { selector: { role: 'core' } })
    expect(accepted(review([sent(other)], full))).toEqual([])
    expect(accepted(review([sent(other)], full.slice(1)))).toEqual(['edge r5'])
    expect(accepted(review([sent(apply(5))], full))).toEqual(['edge r5'])
  })
  test('that no longer asks for this node ends what runs, by a newer order', () => {
    const result = review([sent(apply(2, { selector: { role: 'core' } }))], [held(1, apply(1))])
    expect([accepted(result), said(result)]).toEqual([['edge r2'], ['ended edge r2']])
  })
})

test('of the keys at hand, only those of the policy are operators', () => {
  const allowed = [{ key: operator.fingerprint }]
  expect(acceptedOperators(OPERATORS, allowed)).toEqual([operator.publicKey])
  expect(acceptedOperators(OPERATORS, [])).toEqual([])
})

test('of functions that nobody signed only some are shown: a registry could make up any number', () => {
  const made = Array.from({ length: 200 }, (_, at) => sent('{}', `made-up-${at}`))
  expect(review([...made, sent(apply(1))]).standings.filter(({ kind }) => kind === 'held')).toHaveLength(
    LIMITS.agent_strangers,
  )
  expect(said(review([...made, sent(apply(1))]))).toContain('active edge r1')
})
