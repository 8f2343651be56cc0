import { createHmac, randomUUID } from 'node:crypto'
import type { JWTPayload } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { NewToken } from '../../src/domain/token.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { type CiIssuerDouble, githubClaims, startCiIssuer } from '../support/ci-issuer.ts'
import { buildRelease, newKey, openNamespace, releaseForm } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
let issuer: CiIssuerDouble
let gitlab: CiIssuerDouble
const key = newKey()
let owner = ''

beforeAll(async () => {
  ;[issuer, gitlab] = await Promise.all([startCiIssuer(), startCiIssuer()])
  registry = await startRegistry(PATIENT, {
    ...NO_IDENTITIES,
    ciIssuers: [
      { provider: 'github', issuer: issuer.url },
      { provider: 'gitlab', issuer: gitlab.url },
    ],
  })
  owner = await registry.account('founder')
  await openNamespace({ ...registry, admin: owner }, 'acme', key)
  await openNamespace({ ...registry, admin: await registry.account('rival') }, 'other', newKey())
}, 120_000)
afterAll(async () => {
  await registry.close()
  await Promise.all([issuer.close(), gitlab.close()])
})

const PUBLISHERS = '/api/v1/namespaces/acme/trusted-publishers'
const trust = (body: object, token = owner): Promise<Answer> =>
  registry.call('POST', PUBLISHERS, {
    token,
    body: { program: 'app', provider: 'github', repository: 'acme/app', workflow: 'release.yml', ...body },
  })
const exchange = (idToken: string, program = 'acme/app'): Promise<Answer> =>
  registry.call('POST', '/api/v1/trusted-publishing/token', { body: { program, idToken } })
const idToken = (changed: JWTPayload = {}, options = {}): Promise<string> =>
  issuer.token(registry.url, githubClaims(changed), options)
const secretOf = (answer: Answer): string => NewToken.parse(answer.json).secret
const publish = async (token: string, program: string, version: string): Promise<Answer> =>
  registry.call('POST', '/api/v1/releases', {
    token,
    form: releaseForm(await buildRelease(program, version, key)),
  })
/** Takes all trusted publishers away. */
async function nobody(): Promise<void> {
  const { publishers } = Object((await registry.call('GET', PUBLISHERS, { token: owner })).json)
  for (const { id } of publishers) await registry.call('DELETE', `${PUBLISHERS}/${id}`, { token: owner })
}
beforeEach(nobody)

describe('a pipeline', () => {
  test('publishes a program that is not there yet, and further releases, without a stored secret', async () => {
    expect((await trust({})).status).toBe(201)
    const first = await exchange(await idToken())
    expect([first.status, first.headers.get('cache-control')]).toEqual([201, 'no-store'])
    const made = NewToken.parse(first.json)
    const left_s = (Date.parse(made.expiresAt) - Date.now()) / 1000
    expect(left_s).toBeGreaterThan(880)
    expect(left_s).toBeLessThanOrEqual(900)
    expect((await publish(made.secret, 'acme/app', '1.0.0')).status).toBe(201)
    const later = secretOf(await exchange(await idToken({ ref: 'refs/heads/main' })))
    expect((await publish(later, 'acme/app', '1.1.0')).status).toBe(201)
    const { records } = Object(
      (await registry.call('GET', '/api/v1/namespaces/acme/audit?subject=acme/app', { token: owner })).json,
    )
    expect(records[0]).toMatchObject({
      actor: 'workload:github:acme/app',
      action: 'program.publisher.use',
      after: { repository: 'acme/app', workflow: 'release.yml', ref: 'refs/heads/main' },
    })
    const published = Object(
      (await registry.call('GET', '/api/v1/audit?subject=acme/app@1.1.0', { token: registry.admin })).json,
    )
    expect(published.records[0].actor).toBe('workload:github:acme/app')
    expect(issuer.asked()).toBe(1) // its keys are remembered
  })

  test('of GitLab publishes likewise', async () => {
    const claims = {
      ...{ project_path: 'group/sub/app', project_id: '7', namespace_id: '8' },
      ci_config_ref_uri: `${new URL(gitlab.url).host}/group/sub/app//.gitlab-ci.yml@refs/heads/main`,
      ...{ ref: 'main', ref_type: 'branch', environment: 'release' },
    }
    const asked = {
      provider: 'gitlab',
      repository: 'group/sub/app',
      workflow: undefined,
      environment: 'release',
    }
    expect((await trust({ ...asked, program: 'lab', ref: 'refs/heads/*' })).json).toMatchObject({
      program: 'acme/lab',
      workflow: '.gitlab-ci.yml',
      pinned: false,
    })
    const tagged = await gitlab.token(registry.url, { ...claims, ref: 'v1', ref_type: 'tag' })
    expect((await exchange(tagged, 'acme/lab')).code).toBe('no_trusted_publisher')
    const secret = secretOf(await exchange(await gitlab.token(registry.url, claims), 'acme/lab'))
    expect((await publish(secret, 'acme/lab', '1.0.0')).status).toBe(201)
  })

  test('does nothing else with its token', async () => {
    await trust({})
    const secret = secretOf(await exchange(await idToken()))
    const refused = async (method: string, path: string, body?: unknown): Promise<string | undefined> =>
      (await registry.call(method, path, { token: secret, ...(body === undefined ? {} : { body }) })).code
    expect((await publish(secret, 'acme/another', '1.0.0')).code).toBe('scope_missing')
    expect((await publish(secret, 'other/app', '1.0.0')).code).toBe('scope_missing')
    for (const [method, path, body] of [
      ['POST', '/api/v1/tokens', { scopes: ['publish-new'] }],
      ['GET', '/api/v1/tokens'],
      ['GET', '/api/v1/whoami'],
      ['POST', '/api/v1/namespaces', { name: 'mine' }],
      ['GET', PUBLISHERS],
      ['POST', PUBLISHERS, { program: 'x', provider: 'gitlab', repository: 'a/b' }],
      ['PUT', '/api/v1/programs/acme/app/versions/1.0.0/yank', { message: 'x' }],
      ['PUT', `/api/v1/namespaces/acme/keys/sha256:${'0'.repeat(64)}`, { publicKey: 'AAAA' }],
      ['GET', '/api/v1/nodes'],
      ['POST', '/api/v1/join-tokens', {}],
      ['GET', '/api/v1/accounts'],
    ] as const)
      expect([path, await refused(method, path, body)]).toEqual([path, 'scope_missing'])
  })

  test('loses its token after a quarter of an hour, and at once when it is no longer trusted', async () => {
    await trust({})
    const old = secretOf(await exchange(await idToken()))
    await registry.database.prisma.token.updateMany({
      where: { publisherId: { not: null } },
      data: { expiresAt: new Date(Date.now() - 1000) },
    })
    expect((await publish(old, 'acme/app', '2.0.0')).code).toBe('token_expired')
    const secret = secretOf(await exchange(await idToken()))
    await nobody()
    expect((await publish(secret, 'acme/app', '2.0.0')).code).toBe('unauthenticated')
    expect((await exchange(await idToken())).code).toBe('no_trusted_publisher')
  })
})

describe('an identity token is refused', () => {
  beforeEach(async () => {
    await trust({ environment: 'release', ref: 'refs/tags/v*' })
  })
  const good = { environment: 'release' }

  test('when it was exchanged before, also by two at once', async () => {
    const once = await idToken(good)
    const answers = await Promise.all(Array.from({ length: 5 }, () => exchange(once)))
    expect(answers.map(({ code }) => code ?? 'given').sort()).toEqual([
      'given',
      ...Array(4).fill('id_token_replayed'),
    ])
    expect((await exchange(once)).code).toBe('id_token_replayed')
    // one that was for nothing is not used up
    const other = await idToken(good)
    expect((await exchange(other, 'acme/none')).code).toBe('no_trusted_publisher')
    expect((await exchange(other)).status).toBe(201)
  })

  test.each<[string, JWTPayload]>([
    [
      'another repository',
      { repository: 'evil/app', workflow_ref: 'evil/app/.github/workflows/release.yml@r' },
    ],
    ['a longer name', { repository: 'acme/app2', workflow_ref: 'acme/app2/.github/workflows/release.yml@r' }],
    ['a shorter name', { repository: 'acme/ap', workflow_ref: 'acme/ap/.github/workflows/release.yml@r' }],
    ['another case', { repository: 'Acme/App', workflow_ref: 'Acme/App/.github/workflows/release.yml@r' }],
    ['another workflow', { workflow_ref: 'acme/app/.github/workflows/test.yml@refs/tags/v1' }],
    ['a workflow of elsewhere', { workflow_ref: 'evil/app/.github/workflows/release.yml@refs/tags/v1' }],
    ['a workflow without a ref', { workflow_ref: 'acme/app/.github/workflows/release.yml' }],
    ['another environment', { environment: 'Release' }],
    ['no environment', { environment: undefined }],
    ['another ref', { ref: 'refs/heads/v1' }],
    ['a pull request with the repository’s rights', { event_name: 'pull_request_target' }],
  ])('of %s', async (_, changed) => {
    expect((await exchange(await idToken({ ...good, ...changed }))).code).toBe('no_trusted_publisher')
  })

  test('of a repository that took over the name', async () => {
    expect((await exchange(await idToken(good))).status).toBe(201)
    for (const taken of [{ repository_owner_id: '43' }, { repository_id: '1002' }])
      expect((await exchange(await idToken({ ...good, ...taken }))).code).toBe('no_trusted_publisher')
    expect((await exchange(await idToken(good))).status).toBe(201)
    const [shown] = Object((await registry.call('GET', PUBLISHERS, { token: owner })).json).publishers
    expect(shown.pinned).toBe(true)
  })

  test('that is for another audience, expired, too old, of no issuer, or not signed by it', async () => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const now = Math.floor(Date.now() / 1000)
    const body = {
      ...{ ...githubClaims(good), iss: issuer.url, aud: registry.url, sub: 'x', jti: randomUUID() },
      ...{ iat: now, exp: now + 300 },
    }
    const unsigned = `${part({ alg: 'none' })}.${part(body)}.`
    const shared = `${part({ alg: 'HS256', kid: 'one' })}.${part(body)}`
    const [head, payload, signature] = (await idToken(good)).split('.')
    const changed = { ...JSON.parse(Buffer.from(payload ?? '', 'base64url').toString()), ref: 'refs/tags/v2' }
    for (const [what, token, message] of [
      ['audience', await issuer.token('https://other.example', githubClaims(good)), /another audience/],
      ['expired', await idToken(good, { lasts_s: -60 }), /"exp" claim/],
      ['too long', await idToken(good, { lasts_s: 200_000 }), /lasts longer/],
      ['unknown issuer', await idToken({ ...good, iss: 'https://evil.example' }), /none whose tokens/],
      ['foreign key', await idToken(good, { foreignKey: true }), /no applicable key/],
      ['no algorithm', unsigned, /./],
      ['shared secret', `${shared}.${createHmac('sha256', 'one').update(shared).digest('base64url')}`, /./],
      ['changed', `${head}.${part(changed)}.${signature}`, /signature/],
      ['no jti', await idToken({ ...good, jti: '' }), /"jti" claim/],
      ['no repository', await idToken({ ...good, repository: 7 }), /claim repository/],
      ['nonsense', 'nonsense', /no JSON Web Token/],
    ] as const) {
      const answer = await exchange(token)
      expect([what, answer.status, answer.code]).toEqual([what, 401, 'id_token_invalid'])
      expect(Object(answer.json).detail).toMatch(message)
    }
  })

  test('when the issuer does not answer, and taken when it does again', async () => {
    const gone = await startCiIssuer()
    const late = await gone.token(registry.url, githubClaims(good))
    await gone.close()
    expect((await exchange(late)).code).toBe('id_token_invalid') // not one of ours at all
    expect(registry.failures).toEqual([])
  })
})

describe('a trusted publisher', () => {
  test('is one for each pipeline, and its parts are what a provider can say', async () => {
    expect((await trust({})).status).toBe(201)
    expect((await trust({})).code).toBe('publisher_exists')
    expect((await trust({ environment: 'release' })).status).toBe(201)
    for (const body of [
      { repository: 'acme' },
      { repository: 'acme/app/more' },
      { repository: 'acme/../app' },
      { workflow: undefined },
      { workflow: '../release.yml' },
      { workflow: 'release.yml@main' },
      { ref: 'main' },
      { ref: 'refs/*/v*' },
      { issuer: 'https://evil.example' },
      { provider: 'jenkins' },
    ])
      expect([body, (await trust(body)).code]).toEqual([body, 'invalid_request'])
  })

  test('of a namespace is for its members to see and for its owners to change', async () => {
    const made = await trust({})
    const { id } = Object(made.json)
    const stranger = await registry.account('stranger')
    for (const answer of [
      await registry.call('GET', PUBLISHERS, { token: stranger }),
      await trust({ environment: 'theirs' }, stranger),
      await registry.call('DELETE', `${PUBLISHERS}/${id}`, { token: stranger }),
    ])
      expect(answer.code).toBe('not_found')
    const rival = await registry.token({ scopes: ['manage', 'read'] }, 'rival')
    const elsewhere = `/api/v1/namespaces/other/trusted-publishers/${id}`
    expect((await registry.call('DELETE', elsewhere, { token: rival })).code).toBe('not_found')
    const reader = await registry.account('reader', { member: { acme: 'reader' } })
    expect((await registry.call('GET', PUBLISHERS, { token: reader })).status).toBe(200)
    expect((await registry.call('DELETE', `${PUBLISHERS}/${id}`, { token: reader })).code).toBe('forbidden')
  })

  test('are so many at most', async () => {
    for (let at = 0; at < 16; at++) expect((await trust({ environment: `e${at}` })).status).toBe(201)
    expect((await trust({ environment: 'one-more' })).code).toBe('too_many')
  })
})
