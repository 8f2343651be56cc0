import type { ServerResponse } from 'node:http'
import { afterEach, describe, expect, test } from 'vitest'
import { callRegistry, parseRegistryUrl } from '../../src/client/http-call.ts'
import { registryClient } from '../../src/client/registry-client.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { codeOf, newKey } from '../attest/craft.ts'
import { HttpDouble, json, type Received } from './double.ts'

let double: HttpDouble | undefined
afterEach(async () => {
  await double?.close()
  double = undefined
})
async function serving(answer: (request: Received, response: ServerResponse) => void): Promise<HttpDouble> {
  double = await HttpDouble.start(answer)
  return double
}
const failure = async (work: Promise<unknown>): Promise<DomainError> => {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (thrown instanceof DomainError) return thrown
  throw new Error('no DomainError was thrown', { cause: thrown })
}

const digest = `sha256:${'0'.repeat(64)}`
const view = {
  program: 'acme/limit',
  version: '1.4.0',
  files: [{ name: 'hookline.yaml', digest, size: 3 }],
  bundle: '{}',
  ...{ signer: digest, signers: [digest], bundles: [] },
  publishedAt: '2026-06-01T12:00:00Z',
  summary: 'Limits',
  license: 'GPL-2.0-only',
  hooks: ['xdp'],
  permissions: [],
}

describe('what the client sends', () => {
  test('the token, to the registry that it was made for', async () => {
    const { url, requests } = await serving((_, response) => json(response, 200, view))
    expect(await registryClient(url, 'secret').release('acme/limit', '1.4.0')).toEqual(view)
    expect(requests[0]).toMatchObject({
      method: 'GET',
      path: '/api/v1/programs/acme/limit/versions/1.4.0',
      headers: { authorization: 'Bearer secret' },
    })
  })

  test('no authorization when it has no token', async () => {
    const { url, requests } = await serving((_, response) => json(response, 200, { programs: [] }))
    await registryClient(url).programs({ cursor: 'a b', limit: 5 })
    expect(requests[0]?.path).toBe('/api/v1/programs?cursor=a+b&limit=5')
    expect(requests[0]?.headers.authorization).toBeUndefined()
  })

  test('a release as a form: the manifest, the bundle, and each file under its name', async () => {
    const { url, requests } = await serving((_, response) => json(response, 201, view))
    const files = new Map([
      ['hookline.yaml', Buffer.from('name: x')],
      ['limit.bpf.o', Buffer.from([0, 255, 13, 10])],
    ])
    await registryClient(url, 't').publish({ files, bundle: '{"b":1}' })
    const { body, headers } = requests[0] as Received
    const form = await new Response(Uint8Array.from(body), {
      headers: { 'content-type': headers['content-type'] ?? '' },
    }).formData()
    const parts = [...form].map(([part, file]) => [part, file instanceof File ? file.name : file])
    expect(parts).toEqual([
      ['manifest', 'hookline.yaml'],
      ['file', 'limit.bpf.o'],
      ['bundle', 'bundle.json'],
    ])
    const object = form.get('file') as File
    expect(Buffer.from(await object.arrayBuffer())).toEqual(Buffer.from([0, 255, 13, 10]))
  })

  test('an unsigned release without a bundle', async () => {
    const { url, requests } = await serving((_, response) => json(response, 201, view))
    await registryClient(url).publish({ files: new Map([['hookline.yaml', Buffer.from('x')]]) })
    expect(requests[0]?.body.toString()).not.toContain('bundle')
  })

  test('a key under its fingerprint', async () => {
    const key = newKey('p256').publicKey
    const publicKey = key.spki.toString('base64')
    const answer = { fingerprint: key.fingerprint, publicKey, addedAt: '2026-06-01T12:00:00Z' }
    const { url, requests } = await serving((_, response) => json(response, 200, answer))
    expect(await registryClient(url).putKey('acme', key)).toEqual(answer)
    expect(requests[0]).toMatchObject({
      method: 'PUT',
      path: `/api/v1/namespaces/acme/keys/${key.fingerprint}`,
      body: Buffer.from(JSON.stringify({ publicKey })),
    })
  })
})

describe('what the client refuses to believe', () => {
  const release = (url: string): Promise<unknown> =>
    registryClient(url, 'secret').release('acme/limit', '1.4.0')

  test.each<[string, unknown]>([
    ['a release without a signer', { ...view, signer: undefined }],
    ['an unknown field', { ...view, trusted: true }],
    ['another program', { ...view, program: 'acme/other' }],
    ['another version', { ...view, version: '1.3.0' }],
    ['null', null],
  ])('%s', async (_, answer) => {
    const { url } = await serving((_request, response) => json(response, 200, answer))
    expect((await failure(release(url))).code).toBe('registry_answer')
  })

  test('a page that is not JSON', async () => {
    const { url } = await serving((_, response) => response.end('<html>'))
    expect((await failure(release(url))).code).toBe('registry_answer')
  })

  test('a redirect: the token stays here', async () => {
    const { url, requests } = await serving((_, response) =>
      response.writeHead(302, { location: '/elsewhere' }).end(),
    )
    const error = await failure(release(url))
    expect(error.code).toBe('registry_answer')
    expect(error.message).toContain('/elsewhere')
    expect(requests).toHaveLength(1)
  })

  test.each([
    ['announced', { 'content-length': '101' }],
    ['not announced', {}],
  ])('more bytes than asked for, %s', async (_, headers) => {
    const { url } = await serving((_request, response) =>
      response.writeHead(200, headers).end(Buffer.alloc(101)),
    )
    expect((await failure(registryClient(url).blob(digest, 100))).code).toBe('too_large')
    expect(await registryClient(url).blob(digest, 101)).toHaveLength(101)
  })

  test('an endless answer, of which it reads no more than the limit', async () => {
    const { url } = await serving((_, response) => {
      const timer = setInterval(() => response.write(Buffer.alloc(1024)), 1)
      response.on('close', () => clearInterval(timer))
    })
    expect((await failure(registryClient(url).blob(digest, 10_000))).code).toBe('too_large')
  })
})

describe('failures', () => {
  const problem = (status: number, value: unknown): Promise<HttpDouble> =>
    serving((_, response) => json(response, status, value, { 'content-type': 'application/problem+json' }))

  test('the registry’s code and detail come through when the code is known', async () => {
    const { url } = await problem(409, {
      status: 409,
      title: 'Release exists',
      detail: 'acme/limit@1.4.0 exists',
      code: 'release_exists',
    })
    const error = await failure(registryClient(url).program('acme/limit'))
    expect([error.code, error.message]).toEqual(['release_exists', 'acme/limit@1.4.0 exists'])
  })

  test.each<[string, unknown]>([
    ['an unknown code', { status: 418, title: 'Teapot', code: 'teapot' }],
    ['a code that is a property of every object', { title: 'x', code: 'constructor' }],
    ['no code', { title: 'Bad gateway' }],
    ['no object', 'oops'],
  ])('%s is an answer of something else', async (_, value) => {
    const { url } = await problem(502, value)
    const error = await failure(registryClient(url).program('acme/limit'))
    expect(error.code).toBe('registry_answer')
    expect(error.message).toContain('502')
  })

  test('nothing listening names the address', async () => {
    const { url } = await serving(() => {})
    await double?.close()
    double = undefined
    const error = await failure(registryClient(url).nodes())
    expect(error.code).toBe('registry_unavailable')
    expect(error.message).toBe(`registry ${url}: connection refused`)
  })

  test('a connection closed before the answer', async () => {
    const { url } = await serving((_, response) => response.destroy())
    expect((await failure(registryClient(url).nodes())).code).toBe('registry_unavailable')
  })

  test('no answer in time', async () => {
    const { url } = await serving(() => {})
    const call = { method: 'GET', path: '/', maxBytes: 10, timeout_s: 0.05 }
    const error = await failure(callRegistry(parseRegistryUrl(url), call))
    expect([error.code, error.message]).toEqual([
      'registry_unavailable',
      `registry ${url}: no answer within 0.05 s`,
    ])
  })

  test('an answer that begins and then stops', async () => {
    const { url } = await serving((_, response) => response.writeHead(200).write('{'))
    const call = { method: 'GET', path: '/', maxBytes: 10, timeout_s: 0.1 }
    expect((await failure(callRegistry(parseRegistryUrl(url), call))).code).toBe('registry_unavailable')
  })

  test.each(['registry', 'ftp://x', 'http://x/path', 'http://user:pw@x', 'http://x?y', ''])(
    '"%s" is no address',
    (url) => {
      expect(codeOf(() => registryClient(url))).toBe('usage')
    },
  )

  test.each(['http://127.0.0.1:80', 'https://registry.example', 'http://[::1]:8080/'])(
    '%s is an address',
    (url) => {
      expect(parseRegistryUrl(url).origin).toBe(new URL(url).origin)
    },
  )
})
