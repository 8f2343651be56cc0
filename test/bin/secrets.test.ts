import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { newKey } from '../http/release-builder.ts'
import { callAt, temporaryDirectory } from '../http/running-registry.ts'
import { type ServeProcess, startServe } from './serve-process.ts'

let dir: string
let registry: ServeProcess
const CLIENT_SECRET = 'oidc-client-secret-1234567890'
beforeAll(async () => {
  dir = await temporaryDirectory()
  // an identity provider that nobody answers for: its failures are reported
  process.env['HOOKLINE_OIDC_ISSUER'] = 'http://127.0.0.1:1'
  process.env['HOOKLINE_OIDC_CLIENT_ID'] = 'hookline'
  process.env['HOOKLINE_OIDC_CLIENT_SECRET'] = CLIENT_SECRET
  // so that a webhook to nobody may be made
  process.env['HOOKLINE_WEBHOOKS'] = 'private'
  registry = await startServe(dir)
}, 60_000)
afterAll(async () => {
  for (const part of ['OIDC_ISSUER', 'OIDC_CLIENT_ID', 'OIDC_CLIENT_SECRET', 'WEBHOOKS'])
    delete process.env[`HOOKLINE_${part}`]
  await rm(dir, { recursive: true })
})

test('nothing that a registry prints, however it is used and misused, holds a secret', async () => {
  const admin = registry.adminToken ?? ''
  expect(admin).toMatch(/^hlt_/)
  const call = (method: string, path: string, token: string | undefined, body?: unknown) =>
    callAt(registry.url, method, path, { token, ...(body === undefined ? {} : { body }) })
  const secretOf = (answer: { json: unknown }): string => String(Object(answer.json).secret)
  const secrets = [admin, CLIENT_SECRET, 'hlt_guessed-by-somebody-0000000000']
  const made = await call('POST', '/api/v1/tokens', admin, { scopes: ['read'] })
  secrets.push(secretOf(made))
  secrets.push(secretOf(await call('POST', '/api/v1/join-tokens', admin, {})))
  await call('POST', '/api/v1/namespaces', admin, { name: 'acme' })
  const hook = await call('POST', '/api/v1/namespaces/acme/webhooks', admin, { url: 'https://127.0.0.1:1/' })
  secrets.push(secretOf(hook))
  await call('POST', `/api/v1/namespaces/acme/webhooks/${Object(hook.json).id}/test`, admin)
  expect(secrets.every((secret) => secret.length > 20)).toBe(true)
  const key = newKey()
  for (const token of [...secrets, `${admin}x`, admin.slice(0, -1)]) {
    await call('GET', '/api/v1/whoami', token)
    await call('GET', `/api/v1/programs/acme/app?token=${token}`, token)
    await call('POST', '/api/v1/nodes', undefined, { token, publicKey: 'x', facts: {} })
    await call('PUT', `/api/v1/namespaces/acme/keys/${key.fingerprint}`, token, { publicKey: token })
    await call('POST', '/api/v1/trusted-publishing/token', token, { program: 'acme/app', idToken: token })
    await call('POST', '/api/v1/login/token', token, { code: token, verifier: token, scopes: ['read'] })
  }
  const verifier = 'v'.repeat(43)
  const begun = await call('GET', `/auth/login?port=49152&challenge=${verifier}&state=${verifier}`, undefined)
  expect(begun.code).toBe('issuer_unavailable')
  await call('DELETE', `/api/v1/tokens/${Object(made.json).id}`, admin)
  await call('GET', '/api/v1/whoami', secretOf(made))
  const ending = registry.ended()
  await registry.end('SIGTERM')
  const { errors } = await ending
  for (const secret of secrets) expect(errors).not.toContain(secret.replace(/^whsec_/, ''))
  expect(errors).not.toContain('hlt_')
  expect(errors).not.toContain('hlj_')
})
