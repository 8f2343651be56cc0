import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { sha256Digest } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { RevocationReason } from '../../src/domain/log-entry.ts'
import { RevocationView } from '../../src/domain/revocation.ts'
import { applyOrder, type EnrolledNode, enrolledNode, putFunction } from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

const [key, second, neighbour, operator] = [newKey(), newKey(), newKey(), newKey('ed25519')]
let registry: RunningRegistry
let node: EnrolledNode
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  await addKey(registry, '/api/v1/namespaces/acme/keys', second)
  await openNamespace(registry, 'other', neighbour)
  await addKey(registry, '/api/v1/operators/keys', operator)
  node = await enrolledNode(registry, 'node-1')
  for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0'])
    await publishAt(registry, await buildRelease('acme/limit', version, key))
  await publishAt(registry, await buildRelease('other/noise', '1.0.0', neighbour))
  const instances = [{ use: 'acme/limit@^1.0' }, { use: 'other/noise@^1.0' }]
  expect((await putFunction(registry, 'edge', applyOrder('edge', 1, operator, { instances }))).status).toBe(
    200,
  )
})
afterAll(() => registry.close())

const signed = (
  version: string,
  by = key,
  { message = 'reads past the packet', reason = 'vulnerable' as RevocationReason } = {},
): string =>
  signRevocation(
    {
      revoked: { kind: 'release', program: 'acme/limit', version },
      ...{ reason, message, at: '2026-05-01T12:00:00.000Z' },
    },
    by,
  )
const revoke = (envelope: string): Promise<Answer> =>
  registry.call('POST', '/api/v1/revocations', { token: registry.admin, body: { envelope } })
const sizes = (): Promise<number[]> =>
  Promise.all(
    ['catalog', 'revocations'].map(async (log) => {
      const { bytes } = await registry.call('GET', `/log/${log}/checkpoint`)
      return Number(bytes.toString().split('\n')[1])
    }),
  )
/** Keeps `count` revocations of a program as its publishers could have made them, the newest of all. */
const fill = (program: string, count: number) =>
  registry.database.prisma.revocation.createMany({
    data: Array.from({ length: count }, (_, at) => ({
      digest: sha256Digest(randomBytes(32)),
      ...{ program, version: `0.0.${at}`, private: false, reason: 'other', message: 'made', at: new Date() },
      ...{ envelope: `made ${at}`, signer: neighbour.fingerprint },
    })),
  })

describe('what a signer revoked', () => {
  test('stays as he revoked it first: again, in other words or for another reason, adds nothing', async () => {
    const first = RevocationView.parse((await revoke(signed('1.3.0'))).json)
    const before = await sizes()
    for (const again of [
      signed('1.3.0', key, { message: 'in other words' }),
      signed('1.3.0', key, { reason: 'malicious' }),
    ]) {
      const answer = await revoke(again)
      expect([answer.status, answer.json]).toEqual([201, first])
    }
    expect(await sizes()).toEqual(before)
    const { desired } = await node.desired()
    expect(desired.revocations.map(({ envelope }) => envelope)).toEqual([first.envelope])
  })
  test('another signer revokes as well: nodes may believe the one and not the other', async () => {
    const before = await sizes()
    for (const by of [second, operator])
      expect(RevocationView.parse((await revoke(signed('1.3.0', by))).json).signer).toBe(by.fingerprint)
    expect(await sizes()).toEqual(before.map((size) => size + 2))
  })
})

describe('publishers who revoke without end', () => {
  test('keep no node from hearing of another program’s revocation', async () => {
    const envelope = signed('1.2.0')
    expect((await revoke(envelope)).status).toBe(201)
    await fill('other/noise', LIMITS.desired_revocations)
    // a change, after which what nodes are sent is read anew
    expect((await revoke(signed('1.1.0'))).status).toBe(201)
    const told = (await node.desired()).desired.revocations.map((one) => one.envelope)
    expect(told).toHaveLength(LIMITS.desired_revocations)
    expect(told).toContain(envelope)
  })
  test('are refused beyond what one program, or one namespace, may have; an operator is not', async () => {
    const { prisma } = registry.database
    await fill('acme/other', LIMITS.namespace_revocations - LIMITS.program_revocations)
    const own = await prisma.revocation.count({ where: { program: 'acme/limit', byOperator: false } })
    await fill('acme/limit', LIMITS.program_revocations - own - 1)
    const before = await sizes()
    expect((await revoke(signed('1.0.0'))).status).toBe(201)
    const more = await revoke(signed('1.0.0', second))
    expect([more.status, more.code]).toEqual([403, 'too_many_revocations'])
    expect(await sizes()).toEqual(before.map((size) => size + 1))
    // what is in force is answered all the same
    expect((await revoke(signed('1.0.0'))).status).toBe(201)
    await prisma.revocation.deleteMany({ where: { program: 'acme/limit', version: '0.0.0' } })
    await fill('acme/another', 1)
    const full = await revoke(signed('1.0.0', second))
    expect([full.code, JSON.stringify(full.json)]).toEqual([
      'too_many_revocations',
      expect.stringContaining('acme/*'),
    ])
    expect((await revoke(signed('1.0.0', operator))).status).toBe(201)
  })
})
