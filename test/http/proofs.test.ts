import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { type DnsServer, startDnsServer } from '../support/dns-server.ts'
import { buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
let dns: DnsServer
let host: Server
const files = new Map<string, string>()
const key = newKey()
beforeAll(async () => {
  dns = await startDnsServer()
  host = createServer((request, reply) => {
    const text = files.get(request.url ?? '')
    reply.statusCode = text === undefined ? 404 : 200
    reply.end(text)
  })
  await new Promise<void>((listening) => host.listen(0, '127.0.0.1', listening))
  const address = host.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const proofPlaces = {
    dnsServers: [dns.address],
    github: `${url}/raw`,
    gitlab: `${url}/lab`,
    allowPrivate: true,
  }
  registry = await startRegistry(PATIENT, { ...NO_IDENTITIES, proofPlaces })
  for (const namespace of ['acme', 'other', 'full']) await openNamespace(registry, namespace, key)
  await publishAt(registry, await buildRelease('acme/app', '1.0.0', key))
  await publishAt(registry, await buildRelease('other/app', '1.0.0', key))
}, 60_000)
afterAll(async () => {
  await registry.close()
  await dns.close()
  host.closeAllConnections()
  host.close()
})
const token = () => registry.admin
const prove = (body: object, ns = 'acme'): Promise<Answer> =>
  registry.call('POST', `/api/v1/namespaces/${ns}/proofs`, { token: token(), body })
const challenge = async (ns = 'acme'): Promise<string> =>
  Object((await registry.call('GET', `/api/v1/namespaces/${ns}/challenge`, { token: token() })).json).text
const shown = async (ns = 'acme') =>
  Object((await registry.call('GET', `/api/v1/namespaces/${ns}`)).json).verified
const verifiedBySearch = async (): Promise<string[]> =>
  Object((await registry.call('GET', '/api/v1/search?verified=yes')).json).programs.map(
    ({ program }: { program: string }) => program,
  )

describe('a namespace is verified', () => {
  test('by a TXT record, for as long as it is there, and found by that', async () => {
    const text = await challenge()
    expect(text).toMatch(/^hookline-verify=[0-9a-f]{64}$/)
    expect(await challenge('other')).not.toBe(text)
    const proof = { kind: 'dns', of: 'acme.example' }
    expect((await prove(proof)).code).toBe('proof_missing')
    dns.records.set('_hookline.acme.example', ['something else', `${text}x`])
    expect((await prove(proof)).code).toBe('proof_missing')
    dns.records.set('_hookline.acme.example', ['something else', text])
    expect((await prove(proof)).json).toMatchObject({ verified: [{ kind: 'dns', of: 'acme.example' }] })
    expect(await shown()).toMatchObject([{ kind: 'dns', of: 'acme.example' }])
    await expect.poll(verifiedBySearch).toEqual(['acme/app'])
    await publishAt(registry, await buildRelease('acme/later', '1.0.0', key))
    await expect.poll(async () => (await verifiedBySearch()).sort()).toEqual(['acme/app', 'acme/later'])
    const { facets } = Object((await registry.call('GET', '/api/v1/search')).json)
    expect(facets.verified).toEqual([
      { value: 'yes', count: 2 },
      { value: 'no', count: 1 },
    ])
    // the same record proves nothing for another namespace
    expect((await prove(proof, 'other')).code).toBe('proof_missing')
    dns.records.delete('_hookline.acme.example')
    expect((await prove(proof)).code).toBe('proof_missing')
    expect(await shown()).toEqual([])
    await expect.poll(verifiedBySearch).toEqual([])
  })

  test('by a file of a repository', async () => {
    const text = await challenge()
    files.set('/raw/acme/app/HEAD/.hookline-verify', `# ours\n${text}\n`)
    files.set('/lab/group/sub/app/-/raw/HEAD/.hookline-verify', text)
    expect((await prove({ kind: 'repository', of: 'github.com/acme/app' })).status).toBe(200)
    expect((await prove({ kind: 'repository', of: 'gitlab.com/group/sub/app' })).status).toBe(200)
    expect((await prove({ kind: 'repository', of: 'github.com/acme/other' })).code).toBe('proof_missing')
    expect((await shown()).map(({ of }: { of: string }) => of)).toEqual([
      ...['github.com/acme/app', 'gitlab.com/group/sub/app'],
    ])
    files.clear()
    for (const of of ['github.com/acme/app', 'gitlab.com/group/sub/app'])
      await prove({ kind: 'repository', of })
    expect(await shown()).toEqual([])
  })

  test.each([
    { kind: 'dns', of: 'localhost' },
    { kind: 'dns', of: '127.0.0.1' },
    { kind: 'dns', of: 'a..example' },
    { kind: 'dns', of: 'acme.example/x' },
    { kind: 'repository', of: 'example.org/acme/app' },
    { kind: 'repository', of: 'github.com/acme' },
    { kind: 'repository', of: 'github.com/../app' },
    { kind: 'repository', of: 'github.com/mallory/app/acme/app' }, // only mallory/app would be asked
    { kind: 'site', of: 'acme.example' },
  ])('by no %o', async (proof) => {
    expect((await prove(proof)).code).toBe('invalid_request')
  })

  test('by its owners; nobody else learns what proves it', async () => {
    const stranger = await registry.account('stranger')
    const asked = await registry.call('GET', '/api/v1/namespaces/acme/challenge', { token: stranger })
    expect(asked.code).toBe('not_found')
    const view = JSON.stringify((await registry.call('GET', '/api/v1/namespaces/acme')).json)
    expect(view).not.toContain((await challenge()).split('=')[1])
  })
})

describe('a namespace holds so much', () => {
  test('as its members see', async () => {
    const before = Object(
      (await registry.call('GET', '/api/v1/namespaces/other', { token: token() })).json,
    ).usage
    expect(before).toMatchObject({ programs: 1, mostPrograms: LIMITS.namespace_programs })
    expect(before.bytes).toBeGreaterThan(500)
    await publishAt(registry, await buildRelease('other/app', '1.1.0', key))
    const after = Object(
      (await registry.call('GET', '/api/v1/namespaces/other', { token: token() })).json,
    ).usage
    expect(after.bytes).toBeGreaterThan(before.bytes)
    const path = '/api/v1/programs/other/app/versions/1.1.0'
    expect((await registry.call('DELETE', path, { token: token() })).status).toBe(204)
    const left = Object(
      (await registry.call('GET', '/api/v1/namespaces/other', { token: token() })).json,
    ).usage
    expect(left.bytes).toBe(before.bytes)
    const anonymous = Object((await registry.call('GET', '/api/v1/namespaces/other')).json)
    expect(anonymous.usage).toBeUndefined()
  })

  test('and no more: bytes, programs, releases a day', async () => {
    const { prisma } = registry.database
    const publish = async (program: string, version: string): Promise<string | undefined> =>
      (await publishAt(registry, await buildRelease(program, version, key))).code
    const full = (storedBytes: number) =>
      prisma.namespace.update({ where: { name: 'full' }, data: { storedBytes } })
    expect(await publish('full/app', '1.0.0')).toBeUndefined()
    await full(LIMITS.namespace_bytes - 10)
    expect(await publish('full/app', '1.1.0')).toBe('quota_exceeded')
    expect((await registry.call('GET', '/api/v1/programs/full/app/versions/1.1.0')).status).toBe(404)
    await full(0)
    expect(await publish('full/app', '1.1.0')).toBeUndefined()

    const { id: namespaceId } = await prisma.namespace.findUniqueOrThrow({ where: { name: 'full' } })
    const programs = Array.from({ length: LIMITS.namespace_programs - 1 }, (_, at) => ({
      ...{ namespaceId, ref: `full/made-${at}`, look: `made-${at}`, latest: '', summary: '' },
    }))
    await prisma.program.createMany({ data: programs })
    expect(await publish('full/one-more', '1.0.0')).toBe('quota_exceeded')
    expect(await publish('full/app', '1.2.0')).toBeUndefined()

    const { id: programId } = await prisma.program.findUniqueOrThrow({ where: { ref: 'full/app' } })
    const made = { programId, namespaceId, manifest: {}, bundle: '', signer: key.fingerprint }
    const releases = Array.from({ length: LIMITS.program_releases_a_day }, (_, at) => ({
      ...{ ...made, version: `0.0.${at}`, deletedAt: new Date() },
    }))
    await prisma.release.createMany({ data: releases })
    expect(await publish('full/app', '1.3.0')).toBe('quota_exceeded')
  })
})
