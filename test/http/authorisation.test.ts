import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { ReleaseView } from '../../src/domain/release.ts'
import { ACTORS, type ActorName, HOLDERS, startWithActors } from './actors.ts'
import { applyOrder, type EnrolledNode } from './enrolled-node.ts'
import { addKey, newKey } from './release-builder.ts'
import type { Answer, RunningRegistry } from './running-registry.ts'

/** The codes by which credentials are refused. */
const REFUSALS = ['unauthenticated', 'forbidden', 'scope_missing', 'node_unauthenticated', 'node_key_retired']

interface Route {
  readonly method: string
  readonly path: string
  readonly right: string
}

let registry: RunningRegistry
let node: EnrolledNode
let tokens: ReadonlyMap<ActorName, string>
let routes: Route[] = []

beforeAll(async () => {
  ;({ registry, node, tokens } = await startWithActors())
  routes = await readRoutes()
}, 120_000)
afterAll(() => registry.close())

/** All routes, from the description that the registry itself gives. */
async function readRoutes(): Promise<Route[]> {
  const { paths } = parse((await registry.call('GET', '/openapi.yaml')).bytes.toString('utf8'))
  return Object.entries<Record<string, { 'x-right'?: string }>>(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      ...{ method: method.toUpperCase(), path, right: operation['x-right'] ?? 'unsaid' },
    })),
  )
}

const DIGEST = `sha256:${'0'.repeat(64)}`
const VALUES: Record<string, string> = {
  ...{ ns: 'acme', name: 'secret', version: '9.9.9', digest: DIGEST, fingerprint: DIGEST },
  ...{ account: 'nobody-here', robot: 'nothing-here', id: '00000000-0000-4000-8000-000000000000' },
}
/** A path with its parameters filled in. Nobody leaves acme, nothing is deleted: others ask later. */
const concrete = (path: string): string =>
  path
    .replace('/invitations/{ns}', '/invitations/elsewhere')
    .replaceAll(/\{([\w*]+)\}/g, (_, name: string) => VALUES[name] ?? 'absent')

function call(name: ActorName, { method, path }: Route): Promise<Answer> {
  const options = method === 'GET' || method === 'DELETE' ? {} : { body: { surprise: true } }
  if (name === 'node') return node.call(method, concrete(path), options)
  return registry.call(method, concrete(path), { ...options, token: tokens.get(name) })
}

/** Whether an answer refuses the caller, rather than the request: also as if there were nothing. */
const refused = ({ code, json }: Answer): boolean =>
  REFUSALS.includes(code ?? '') || (code === 'not_found' && JSON.stringify(json).includes('that is yours'))

test('every route says who may use it', () => {
  expect(routes.length).toBeGreaterThan(35)
  expect(routes.filter(({ right }) => HOLDERS[right] === undefined)).toEqual([])
})

test.each(ACTORS)('%s may use just what is his', async (name) => {
  const wrong: string[] = []
  for (const route of routes.filter(({ right }) => right !== 'node' && right !== 'joining')) {
    const answer = await call(name, route)
    const allowed = HOLDERS[route.right]?.includes(name) ?? false
    if (refused(answer) === allowed)
      wrong.push(`${route.method} ${route.path} (${route.right}): ${answer.status} ${answer.code}`)
  }
  expect(wrong).toEqual([])
})

/** Digest of a file of the private release. */
async function secretDigest(): Promise<string> {
  const path = '/api/v1/programs/acme/secret/versions/1.0.0'
  const release = await registry.call('GET', path, { token: tokens.get('reader') })
  return ReleaseView.parse(release.json).files[0]?.digest ?? ''
}

describe('who has no part in a namespace', () => {
  const probes = (ns: string, name: string): [string, string, unknown?][] => [
    ['GET', `/api/v1/namespaces/${ns}/members`],
    ['PUT', `/api/v1/namespaces/${ns}/members/stranger`, { role: 'owner' }],
    ['DELETE', `/api/v1/namespaces/${ns}/members/the-owner`],
    ['POST', `/api/v1/namespaces/${ns}/robots`, { name: 'mine', role: 'publisher' }],
    ['POST', `/api/v1/namespaces/${ns}/robots/ci/tokens`, { scopes: ['read'] }],
    ['POST', `/api/v1/invitations/${ns}/accept`],
    ['DELETE', `/api/v1/invitations/${ns}`],
    ['GET', `/api/v1/namespaces/${ns}`],
    ['GET', `/api/v1/namespaces/${ns}/keys`],
    ['GET', `/api/v1/programs/${ns}/${name}`],
    ['GET', `/api/v1/programs/${ns}/${name}/versions/1.0.0`],
    ['GET', `/api/v1/programs/${ns}/${name}/versions/1.0.0/bundle`],
    ['PUT', `/api/v1/programs/${ns}/${name}/visibility`, { visibility: 'public' }],
  ]
  test.each(['anonymous', 'stranger', 'viewer', 'operator', 'node'] as const)(
    '%s hears the same of what is there and of what is not',
    async (name) => {
      const hear = async (ns: string, program: string): Promise<string[]> => {
        const heard: string[] = []
        for (const [method, path, body] of probes(ns, program)) {
          const options = body === undefined ? {} : { body }
          const answer =
            name === 'node'
              ? await node.call(method, path, options)
              : await registry.call(method, path, { ...options, token: tokens.get(name) })
          expect([401, 403, 404]).toContain(answer.status)
          heard.push(`${method} ${path} ${answer.status} ${answer.bytes}`)
        }
        return heard
      }
      const there = await hear('acme', 'secret')
      const notThere = await hear('absent', 'gone')
      const renamed = notThere.map((line) => line.replaceAll('absent', 'acme').replaceAll('gone', 'secret'))
      expect(there).toEqual(renamed)
    },
  )
  test('a private file is for members, by its digest too', async () => {
    const digest = await secretDigest()
    const blob = (token: string | undefined) => registry.call('GET', `/api/v1/blobs/${digest}`, { token })
    expect((await blob(tokens.get('reader'))).status).toBe(200)
    for (const name of ['anonymous', 'stranger', 'operator', 'ownerElsewhere'] as const)
      expect((await blob(tokens.get(name))).code).toBe('not_found')
    expect((await node.call('GET', `/api/v1/blobs/${digest}`)).code).toBe('not_found')
  })
  test('an order makes a private program readable for its nodes, if whoever gives it may read it', async () => {
    const operator = newKey('ed25519')
    await addKey(registry, '/api/v1/operators/keys', operator)
    const use = 'acme/secret@^1.0'
    const apply = (revision: number, token: string | undefined) => {
      const envelope = applyOrder('edge', revision, operator, { instances: [{ use }] })
      return registry.call('PUT', '/api/v1/functions/edge', { token, body: { envelope } })
    }
    expect((await apply(1, tokens.get('operator'))).code).toBe('not_found')
    const member = await registry.account('both-sides', { fleet: 'operator', member: { acme: 'reader' } })
    const blob = `/api/v1/blobs/${await secretDigest()}`
    expect((await node.call('GET', blob)).code).toBe('not_found')
    expect((await apply(1, member)).status).toBe(200)
    expect((await node.call('GET', blob)).status).toBe(200)
    expect((await registry.call('GET', blob, { token: tokens.get('operator') })).code).toBe('not_found')
  })
  test('the catalog lists what one may read', async () => {
    const listed = async (name: ActorName) =>
      (await registry.call('GET', '/api/v1/programs', { token: tokens.get(name) })).bytes.includes(
        'acme/secret',
      )
    expect([await listed('anonymous'), await listed('stranger'), await listed('reader')]).toEqual([
      ...[false, false, true],
    ])
  })
})

describe('a token', () => {
  const make = (token: string | undefined, body: unknown) =>
    registry.call('POST', '/api/v1/tokens', { token, body })
  test('makes none that reaches further', async () => {
    const narrow = await registry.token({ scopes: ['manage', 'read'], programs: ['acme/*'] }, 'the-owner')
    for (const body of [
      { scopes: ['publish-new'], programs: ['acme/*'] },
      { scopes: ['read'] },
      { scopes: ['read'], programs: ['other/*'] },
      { scopes: ['read'], programs: ['acm*'] },
    ])
      expect(['token_escalation', 'invalid_request']).toContain((await make(narrow, body)).code)
    expect((await make(narrow, { scopes: ['read'], programs: ['acme/rate*'] })).status).toBe(201)
  })
  test('for oneself lasts no longer than the one that asks for it; an administrator’s may', async () => {
    const short = await registry.token({ scopes: ['manage', 'read'], ttl_s: 60 }, 'the-owner')
    const life_s = (answer: Answer): number => (Date.parse(Object(answer.json).expiresAt) - Date.now()) / 1000
    const made = await make(short, { scopes: ['read'], ttl_s: 366 * 86_400 })
    expect(life_s(made)).toBeGreaterThan(30)
    expect(life_s(made)).toBeLessThanOrEqual(60)
    expect(life_s(await make(registry.admin, { scopes: ['read'], ttl_s: 366 * 86_400 }))).toBeGreaterThan(
      365 * 86_400,
    )
  })
  test('that is for something else does not show its account’s namespaces', async () => {
    for (const token of [
      await registry.token({ scopes: ['order'] }, 'the-owner'),
      await registry.token({ scopes: ['read'], programs: ['acme-two/*'] }, 'the-owner'),
    ])
      for (const path of ['/api/v1/namespaces/acme', '/api/v1/namespaces/acme/keys'])
        expect((await registry.call('GET', path, { token })).code).toBe('not_found')
    const token = await registry.token({ scopes: ['read'], programs: ['acme/secret'] }, 'the-owner')
    expect(Object((await registry.call('GET', '/api/v1/namespaces/acme', { token })).json).role).toBe('owner')
  })
  test('that was revoked, or whose account is disabled, is refused', async () => {
    const made = await make(tokens.get('owner'), { scopes: ['read'] })
    const { id, secret } = Object(made.json)
    expect((await registry.call('GET', '/api/v1/whoami', { token: secret })).status).toBe(200)
    const gone = await registry.call('DELETE', `/api/v1/tokens/${id}`, { token: tokens.get('owner') })
    expect(gone.status).toBe(204)
    const late = await registry.call('GET', '/api/v1/whoami', { token: secret })
    expect([late.status, late.code]).toEqual([401, 'token_revoked'])
    const leaver = await registry.account('leaver')
    await registry.call('PATCH', '/api/v1/accounts/leaver', {
      token: registry.admin,
      body: { disabled: true },
    })
    const after = await registry.call('GET', '/api/v1/whoami', { token: leaver })
    expect([after.status, after.code]).toEqual([401, 'account_disabled'])
  })
  test('of another account is not one’s own', async () => {
    const made = await make(tokens.get('owner'), { scopes: ['read'] })
    const other = await registry.call('DELETE', `/api/v1/tokens/${Object(made.json).id}`, {
      token: tokens.get('stranger'),
    })
    expect([other.status, other.code]).toEqual([404, 'not_found'])
  })
})
