import { beforeEach, describe, expect, test } from 'vitest'
import type { NodePolicy } from '../../src/agent/node-policy.ts'
import { followPolicy } from '../../src/agent/owner-policy.ts'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { signOrder } from '../../src/attest/order.ts'
import { signPolicy } from '../../src/attest/policy-document.ts'
import { localSigner } from '../../src/attest/sign-release.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { AcceptedPolicy, SignedPolicy } from '../../src/domain/policy-document.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'
import { newKey } from '../attest/craft.ts'

const [owner, other, eve, operator] = [newKey(), newKey('p256'), newKey(), newKey()]
const LABELS = { role: 'edge' }
const local = (fields = '', owners = [owner, other]): NodePolicy =>
  parseTrustPolicy(
    `owners: [${owners.map(({ fingerprint }) => `{ key: "${fingerprint}" }`).join(', ')}]\n${fields}`,
  )
const keys = [owner, other, eve].map(({ publicKey }) => publicKey.spki.toString('base64'))

let held = new Map<string, AcceptedPolicy>()
beforeEach(() => {
  held = new Map()
})
const state = {
  acceptedPolicies: async () => [...held.values()],
  saveAcceptedPolicy: async (policy: AcceptedPolicy) => void held.set(policy.name, policy),
}
/** A signed revision of a policy with one rule. */
async function signed(
  revision: number,
  { by = owner, name = 'edge', selector = LABELS as Record<string, string>, rule = {} } = {},
): Promise<SignedPolicy> {
  const programs = [
    {
      match: 'acme/*',
      signers: [{ key: operator.fingerprint }],
      minSigners: 1,
      minAge: '0s',
      minVersion: {},
      permissions: [],
      ...rule,
    },
  ]
  const operators = [{ key: operator.fingerprint }]
  const document = { kind: 'policy', name, revision, selector, operators, programs } as const
  return { name, revision, envelope: await signPolicy(document, localSigner(by)) }
}
/** What is made of this: the revision that counts, the code of the refusal, and of what was refused beside it. */
async function follow(policies: SignedPolicy[], given: NodePolicy = local(), sent = keys) {
  try {
    const { policy, problem } = await followPolicy(given, { policies, keys: sent }, state, LABELS)
    return { rule: policy.programs[0], operators: policy.operators.length, beside: problem?.code }
  } catch (thrown) {
    return { code: asDomainError(thrown).code }
  }
}

describe('a node whose trust.yaml names owners', () => {
  test('obeys the policy that one of them signed for its labels', async () => {
    expect(await follow([await signed(1)])).toMatchObject({ rule: { match: 'acme/*' }, operators: 1 })
  })
  test('obeys a newer one, of another owner too, and not the older one again', async () => {
    const [first, second] = [await signed(1), await signed(2, { by: other, rule: { minAge: '24h' } })]
    await follow([first])
    expect(await follow([second])).toMatchObject({ rule: { minAge: '24h' }, beside: undefined })
    expect(await follow([first])).toMatchObject({ rule: { minAge: '24h' }, beside: 'stale_revision' })
  })
  test('goes on by what it has when nothing is sent: a registry cannot end a policy', async () => {
    await follow([await signed(1)])
    expect(await follow([], local(), [])).toMatchObject({ rule: { match: 'acme/*' }, beside: undefined })
  })
  test('learns from the newest one that it is for others', async () => {
    await follow([await signed(1)])
    expect(await follow([await signed(2, { selector: { role: 'core' } })])).toEqual({
      code: 'policy_missing',
    })
  })
  test('takes none for its own that is older than one for others, which it saw', async () => {
    const core = { role: 'core' }
    await follow([await signed(5, { selector: core })])
    expect(await follow([await signed(4)])).toEqual({ code: 'stale_revision' })
    expect(await follow([await signed(6)])).toMatchObject({ rule: { match: 'acme/*' }, beside: undefined })
  })
  test('remembers those for others as long as there is room', async () => {
    for (let at = 0; at < LIMITS.agent_policies; at++)
      await follow([await signed(1, { name: `p${at}`, selector: { role: 'core' } })])
    await follow([await signed(5, { selector: { role: 'core' } })])
    expect(held.size).toBe(LIMITS.agent_policies)
    expect(await follow([await signed(4)])).toMatchObject({ rule: { match: 'acme/*' } })
  })
  test('holds every rule to its own floor', async () => {
    const floor = local('floor: { minSigners: 2, minAge: 24h }')
    expect(await follow([await signed(1, { rule: { minAge: '90s' } })], floor)).toMatchObject({
      rule: { minSigners: 2, minAge: '24h' },
    })
    const strict = { minSigners: 3, minAge: '7d' }
    expect(await follow([await signed(2, { rule: strict })], floor)).toMatchObject({ rule: strict })
  })
  test('obeys no owner that trust.yaml names no longer', async () => {
    await follow([await signed(1)])
    expect(await follow([], local('', [other]))).toEqual({ code: 'policy_missing' })
  })
  const flipped = async (policy: Promise<SignedPolicy>): Promise<SignedPolicy> => {
    const { envelope, ...named } = await policy
    const parsed = JSON.parse(envelope)
    const text = Buffer.from(parsed.payload, 'base64').toString().replace('acme/*', 'evil/*')
    return {
      ...named,
      envelope: JSON.stringify({ ...parsed, payload: Buffer.from(text).toString('base64') }),
    }
  }
  const order = (key: PrivateKey): string => signOrder({ kind: 'remove', revision: 1, name: 'edge' }, key)
  test.each<[string, () => Promise<SignedPolicy[]>, string]>([
    ['that a stranger signed', async () => [await signed(1, { by: eve })], 'owner_not_allowed'],
    ['that was altered', async () => [await flipped(signed(1))], 'signature_invalid'],
    ['under another name', async () => [{ ...(await signed(1)), name: 'core' }], 'policy_document_invalid'],
    [
      'that is an order',
      async () => [{ name: 'edge', revision: 1, envelope: order(owner) }],
      'policy_document_invalid',
    ],
    ['that is none', async () => [{ name: 'edge', revision: 1, envelope: '{}' }], 'policy_document_invalid'],
    ['for other nodes', async () => [await signed(1, { selector: { role: 'core' } })], 'policy_missing'],
    ['twice over', async () => [await signed(1), await signed(1, { name: 'edge-too' })], 'policy_conflict'],
    [
      'that contradicts itself',
      async () => [await signed(1, { rule: { minVersion: { 'other/limit': '1.0.0' } } })],
      'invalid_policy',
    ],
  ])('obeys none %s', async (_, make, code) => {
    expect(await follow(await make())).toEqual({ code })
  })
  test('takes another content of the same revision for a lie', async () => {
    await follow([await signed(1)])
    const again = await signed(1, { rule: { minAge: '1s' } })
    expect(await follow([again])).toMatchObject({ rule: { minAge: '0s' }, beside: 'stale_revision' })
  })
})

test('a node whose trust.yaml names none obeys its own, whatever is sent', async () => {
  const own = parseTrustPolicy(`programs: [{ match: "own/*", signers: [{ key: "${owner.fingerprint}" }] }]`)
  expect(await follow([await signed(1)], own)).toMatchObject({ rule: { match: 'own/*' } })
  expect(held.size).toBe(0)
})

test.each([
  [
    'owners beside rules of its own',
    `owners: [{ key: "${owner.fingerprint}" }]\nprograms: [{ match: "a/*", signers: [{ key: "${owner.fingerprint}" }] }]`,
  ],
  [
    'owners beside operators of its own',
    `owners: [{ key: "${owner.fingerprint}" }]\noperators: [{ key: "${owner.fingerprint}" }]`,
  ],
  ['a floor without owners', 'floor: { minSigners: 2 }'],
  ['nobody as owners', 'owners: []'],
])('trust.yaml may not have %s', (_, text) => {
  expect(() => parseTrustPolicy(text)).toThrow(expect.objectContaining({ code: 'invalid_policy' }))
})
