import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { signRevocation } from '../../src/attest/revocation.ts'
import { identitySettings } from '../../src/bin/identity-settings.ts'
import { runCli } from '../../src/cli/run.ts'
import { RevocationList, RevocationView } from '../../src/domain/revocation.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { formatNoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { HttpDouble } from '../client/double.ts'
import { buildRelease, newKey, openNamespace, publishAt, releaseForm } from '../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'
import { newLogIdentity } from '../support/log-identity.ts'
import { newSigner } from '../support/memory-log.ts'
import { memoryIo, scratch } from './hookline.ts'

const notHere = () => Promise.reject(new Error('not here'))
const services = { serve: notHere, witness: notHere, agent: notHere, doctor: notHere, verifyRunning: notHere }
const home = await scratch()
const pem = generateKeyPair('p256').privateKey
const [key, stranger] = [parsePrivateKey(pem), newKey()]
const logIdentity = newLogIdentity('registry.test')
const LOG_KEY = formatNoteKey(noteKeyOf('registry.test/catalog', 'note', logIdentity.privateKey))
let registry: RunningRegistry
/** The registry, by somebody who answers otherwise where `lie` gives an answer. */
let liar: HttpDouble
let lie: (path: string, honest: unknown) => unknown = (_, honest) => honest
beforeAll(async () => {
  registry = await startRegistry(PATIENT, identitySettings({}), { logIdentity })
  await openNamespace(registry, 'acme', key)
  for (const version of ['1.0.0', '1.1.0', '1.2.0', '1.3.0', '1.4.0', '1.5.0'])
    await publishAt(registry, await buildRelease('acme/limit', version, key))
  const form = releaseForm(await buildRelease('acme/secret', '1.0.0', key))
  await registry.call('POST', '/api/v1/releases?visibility=private', { token: registry.admin, form })
  await writeFile(join(home, 'key.pem'), pem)
  liar = await HttpDouble.start(async ({ method, path, headers: { authorization = '' }, body }, response) => {
    const sent = body.length === 0 ? {} : { 'content-type': 'application/json' }
    const answer = await registry.call(method, path, {
      headers: { authorization, ...sent },
      ...(body.length === 0 ? {} : { body }),
    })
    const type = answer.headers.get('content-type') ?? ''
    const shown = type.includes('json') ? JSON.stringify(lie(path, answer.json)) : answer.bytes
    response.writeHead(answer.status, { 'content-type': type }).end(shown)
  })
})
afterEach(() => {
  lie = (_, honest) => honest
})
afterAll(async () => {
  await liar.close()
  await registry.close()
})

const why = ['--reason', 'faulty', '--message', 'drops what it should not']
async function run(...args: string[]) {
  const io = memoryIo({ home, env: { HOOKLINE_URL: registry.url, HOOKLINE_TOKEN: registry.admin } })
  const exit = await runCli(args, io, services, 'test')
  return { exit, out: io.out, err: io.err }
}
const Answer = z.object({
  error: z.object({ code: z.string() }).optional(),
  log: z.looseObject({ checked: z.boolean() }).optional(),
})
const revoke = async (ref: string, ...args: string[]) => {
  const { exit, out } = await run('revoke', ref, '--key', join(home, 'key.pem'), ...why, '--json', ...args)
  const { error, log } = Answer.parse(JSON.parse(out))
  return { exit, code: error?.code, log, json: JSON.parse(out) }
}
const known = ['--log-key', LOG_KEY]

describe('revoke, with a key of the logs', () => {
  test('says where both have it, also of a private program', async () => {
    for (const ref of ['acme/limit@1.0.0', 'acme/secret@1.0.0']) {
      const { exit, log } = await revoke(ref, ...known)
      expect(exit).toBe(0)
      expect(log).toEqual({ checked: true, catalog: expect.any(Number), revocations: expect.any(Number) })
    }
  })
  test('takes what was seen before for a key', async () => {
    const state = join(home, 'logs.json')
    expect((await run('log', 'verify', '--state', state, ...known)).exit).toBe(0)
    const { log } = await revoke('acme/limit@1.1.0', '--state', state)
    expect(log).toMatchObject({ checked: true })
  })
  test('and of others: is refused', async () => {
    const other = formatNoteKey(newSigner('registry.test/catalog').key)
    expect(await revoke('acme/limit@1.0.0', '--log-key', other)).toMatchObject({
      ...{ exit: 3, code: 'log_untrusted' },
    })
  })
  test('without one says that nobody checked', async () => {
    const { exit, out } = await run('revoke', 'acme/limit@1.2.0', '--key', join(home, 'key.pem'), ...why)
    expect(exit).toBe(0)
    expect(out).toContain('the registry says that acme/limit@1.2.0 is revoked')
    expect(out).toContain('was not checked')
    expect((await revoke('acme/limit@1.2.0')).log).toEqual({ checked: false })
  })
})

describe('a registry that takes a revocation', () => {
  const asLiar = (ref: string) => revoke(ref, '--url', liar.url, ...known)
  test.each(['catalog', 'revocations'])('and does not log it in %s is found out', async (log) => {
    const list = await registry.call('GET', '/api/v1/revocations?program=acme/limit')
    const [other] = RevocationList.parse(list.json).revocations
    if (other === undefined) throw new Error('nothing was revoked before')
    const proof = await registry.call('GET', `/api/v1/revocations/${other.digest}/log-proof/${log}`)
    expect(proof.status).toBe(200)
    const version = log === 'catalog' ? '1.3.0' : '1.4.0'
    lie = (path, honest) => (path.endsWith(`/log-proof/${log}`) ? proof.json : honest)
    expect(await asLiar(`acme/limit@${version}`)).toMatchObject({ exit: 3, code: 'revocation_unlogged' })
  })
  test('of which its logs know nothing is found out', async () => {
    const { prisma } = registry.database
    expect((await asLiar('acme/limit@1.4.0')).exit).toBe(0)
    await prisma.revocation.updateMany({ where: { version: '1.4.0' }, data: { revocationsIndex: null } })
    expect(await asLiar('acme/limit@1.4.0')).toMatchObject({ exit: 3, code: 'revocation_unlogged' })
  })
})

describe('what was revoked before', () => {
  test('stays as it was, and is said', async () => {
    const first = await revoke('acme/limit@1.5.0', ...known)
    const again = [...why.with(1, 'malicious'), '--key', join(home, 'key.pem'), ...known]
    const { exit, out } = await run('revoke', 'acme/limit@1.5.0', ...again)
    expect(exit).toBe(0)
    expect(out).toContain('this signer revoked it before')
    expect((await revoke('acme/limit@1.5.0', ...known)).json).toEqual(first.json)
  })
  test.each<[string, string, () => Parameters<typeof signRevocation>[1]]>([
    ['by another signer', '1.5.0', () => stranger],
    ['of another release', '1.0.0', () => key],
  ])('%s is no answer', async (_, version, by) => {
    const envelope = signRevocation(
      {
        revoked: { kind: 'release', program: 'acme/limit', version },
        ...{ reason: 'faulty', message: 'no', at: '2026-05-01T12:00:00.000Z' },
      },
      by(),
    )
    lie = (path, honest) =>
      path === '/api/v1/revocations' ? { ...RevocationView.parse(honest), envelope } : honest
    const { exit, code } = await revoke('acme/limit@1.5.0', '--url', liar.url, ...known)
    expect([exit, code]).toEqual([1, 'registry_answer'])
  })
})
