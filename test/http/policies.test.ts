import { afterAll, beforeAll, expect, test } from 'vitest'
import type { PrivateKey } from '../../src/attest/keys.ts'
import { signPolicy } from '../../src/attest/policy-document.ts'
import { localSigner } from '../../src/attest/sign-release.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { PolicyList } from '../../src/domain/policy-document.ts'
import { enrolledNode } from './enrolled-node.ts'
import { newKey } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

const [owner, stranger] = [newKey(), newKey('ed25519')]
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.close())

const signed = (
  name: string,
  revision: number,
  selector: Record<string, string> = { role: name },
  by = owner,
) => signPolicy({ kind: 'policy', name, revision, selector, operators: [], programs: [] }, localSigner(by))
const put = async (
  name: string,
  envelope: string,
  { key = owner, token = registry.admin }: { key?: PrivateKey; token?: string } = {},
): Promise<Answer> =>
  registry.call('PUT', `/api/v1/policies/${name}`, {
    token,
    body: { envelope, publicKey: key.publicKey.spki.toString('base64') },
  })

test('a policy is kept byte for byte, and sent with its key to the nodes that it is for, and to no other', async () => {
  const [edge, core] = [
    await enrolledNode(registry, 'edge-1', { role: 'edge' }),
    await enrolledNode(registry, 'core-1', { role: 'core' }),
  ]
  const before = await edge.desired()
  const envelope = await signed('edge', 1)
  expect((await put('edge', envelope)).json).toMatchObject({
    name: 'edge',
    revision: 1,
    envelope,
    owner: owner.fingerprint,
  })
  const after = await edge.desired()
  expect(after.desired.policies).toEqual([{ name: 'edge', revision: 1, envelope }])
  expect(after.desired.keys).toContain(owner.publicKey.spki.toString('base64'))
  expect(after.etag).not.toBe(before.etag)
  expect((await core.desired()).desired).not.toHaveProperty('policies')
  // nodes that it no longer selects must learn so
  const moved = await signed('edge', 2, { role: 'core' })
  await put('edge', moved)
  for (const node of [edge, core])
    expect((await node.desired()).desired.policies).toEqual([{ name: 'edge', revision: 2, envelope: moved }])
  const list = await registry.call('GET', '/api/v1/policies', { token: registry.admin })
  expect(PolicyList.parse(list.json).policies).toMatchObject([{ name: 'edge', revision: 2 }])
})

test('a policy stays its owner’s, unless an administrator hands it on', async () => {
  const operator = await registry.account('operator', { fleet: 'operator' })
  const by = { token: operator }
  expect((await put('owned', await signed('owned', 1), by)).status).toBe(200)
  const taken = await signed('owned', 2, { role: 'owned' }, stranger)
  expect((await put('owned', taken, { key: stranger, token: operator })).code).toBe('policy_owner_changed')
  const high = await signed('owned', 1000, { role: 'owned' }, stranger)
  expect((await put('owned', high, { key: stranger, token: operator })).code).toBe('policy_owner_changed')
  expect((await put('owned', await signed('owned', 2), by)).status).toBe(200)
  expect((await put('owned', high, { key: stranger })).json).toMatchObject({ owner: stranger.fingerprint })
  expect((await put('owned', await signed('owned', 1001), by)).code).toBe('policy_owner_changed')
  const next = await signed('owned', 1001, { role: 'owned' }, stranger)
  expect((await put('owned', next, { key: stranger, token: operator })).status).toBe(200)
})

test('what is refused', async () => {
  const first = await signed('held', 5)
  expect((await put('held', first)).status).toBe(200)
  expect((await put('held', first)).code).toBe('revision_conflict')
  expect((await put('held', await signed('held', 4))).code).toBe('revision_conflict')
  expect((await put('other', await signed('held', 6))).code).toBe('policy_document_invalid')
  expect((await put('held', '{}')).code).toBe('policy_document_invalid')
  expect((await put('held', await signed('held', 6), { key: stranger })).code).toBe('owner_not_allowed')
  const publisher = await registry.account('publisher')
  expect((await put('held', await signed('held', 6), { token: publisher })).code).toBe('forbidden')
})

test('names are first come, and so many; who has one goes on', async () => {
  const operator = await registry.account('squatter', { fleet: 'operator' })
  const by = { key: stranger, token: operator }
  expect((await put('squatted', await signed('squatted', 1, {}, stranger), by)).status).toBe(200)
  const late = await put('squatted', await signed('squatted', 2), { token: operator })
  expect([late.status, late.code]).toEqual([403, 'policy_owner_changed'])
  const { policies } = PolicyList.parse(
    (await registry.call('GET', '/api/v1/policies', { token: registry.admin })).json,
  )
  for (let n = policies.length; n < LIMITS.policies; n++)
    expect((await put(`more-${n}`, await signed(`more-${n}`, 1))).status).toBe(200)
  const full = await put('one-too-many', await signed('one-too-many', 1))
  expect([full.status, full.code]).toEqual([409, 'too_many_policies'])
  expect((await put('squatted', await signed('squatted', 2, {}, stranger), by)).status).toBe(200)
})
