import { once } from 'node:events'
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { Problem } from '../../src/http/problem.ts'
import { type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
})
afterAll(() => registry.close())

/** Sends bytes as they are, and reads the answer until the connection ends. */
async function raw(text: string): Promise<{ status: number; type: string; problem: unknown }> {
  const socket = connect(Number(new URL(registry.url).port), '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {}) // a refusal may arrive while we still send
  socket.write(text)
  await once(socket, 'close')
  const [head = '', body = ''] = Buffer.concat(chunks).toString().split('\r\n\r\n', 2)
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1])
  const type = /^content-type: (.*)$/im.exec(head)?.[1] ?? ''
  return { status, type, problem: JSON.parse(body) }
}
const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, ...headers, 'Connection: close', '', ''].join('\r\n')
const HOST = 'Host: registry'

/** Every refusal is a problem whose status is that of the answer. */
async function refused(text: string): Promise<[number, string]> {
  const { status, type, problem } = await raw(text)
  expect(type).toMatch(/^application\/problem\+json\b/)
  const { code, status: stated } = Problem.parse(problem)
  expect(stated).toBe(status)
  return [status, code]
}

describe('a request that', () => {
  test('has two tokens', async () => {
    const [good, other] = [`Authorization: Bearer ${registry.admin}`, 'Authorization: Bearer other']
    const path = 'GET /api/v1/programs/acme/absent'
    expect(await refused(request(path, HOST, good))).toEqual([404, 'not_found'])
    expect(await refused(request(path, HOST, good, other))).toEqual([401, 'unauthenticated'])
  })
  test.each<[string, string, [number, string]]>([
    ['names no route', request('GET /nowhere', HOST), [404, 'not_found']],
    ['names a route by another method', request('DELETE /healthz', HOST), [405, 'method_not_allowed']],
    ['has a method of WebDAV', request('PROPFIND /healthz', HOST), [404, 'not_found']],
    ['has a method that is none', request('FROBNICATE /healthz', HOST), [400, 'invalid_request']],
    ['has a path that cannot be decoded', request('GET /%ff%zz', HOST), [400, 'invalid_request']],
    [
      'has a parameter that cannot be decoded',
      request('GET /api/v1/blobs/%c0', HOST),
      [400, 'invalid_request'],
    ],
    [
      'has a parameter beyond any name',
      request(`GET /api/v1/functions/${'a'.repeat(300)}`, HOST),
      [400, 'invalid_request'],
    ],
    ['has no Host', request('GET /healthz'), [400, 'invalid_request']],
    ['has two Hosts', request('GET /healthz', HOST, 'Host: other'), [400, 'invalid_request']],
    ['is not HTTP', '\u0016\u0003\u0001 hello\r\n\r\n', [400, 'invalid_request']],
    [
      'has a header larger than Node reads',
      request('GET /healthz', HOST, `X-Long: ${'x'.repeat(20_000)}`),
      [431, 'too_large'],
    ],
    [
      'has a header field without a name',
      request('GET /healthz', HOST, ': nothing'),
      [400, 'invalid_request'],
    ],
    [
      'has two lengths',
      request('POST /api/v1/nodes', HOST, 'Content-Length: 2', 'Content-Length: 3'),
      [400, 'invalid_request'],
    ],
  ])('%s is refused by a problem', async (_, text, expected) => {
    expect(await refused(text)).toEqual(expected)
  })

  test('expects something is answered as if it did not', async () => {
    const { status } = await raw(request('GET /healthz', HOST, 'Expect: the-unexpected'))
    expect(status).toBe(200)
  })

  test.each([
    ['text/plain', '{}'],
    ['application/x-www-form-urlencoded', 'name=acme'],
    ['no type/at all', '{}'],
  ])('carries %s in place of JSON is refused by a problem', async (type, body) => {
    const answer = await registry.call('POST', '/api/v1/namespaces', {
      token: registry.admin,
      body: Buffer.from(body),
      headers: { 'content-type': type },
    })
    expect([answer.status, answer.code]).toEqual([415, 'unsupported_media_type'])
  })
  test('names another method than a path has is told those that it has, whatever else is wrong with it', async () => {
    const answer = await registry.call('PATCH', '/api/v1/namespaces', {
      body: Buffer.from('{'),
      headers: { 'content-type': 'text/plain' },
    })
    expect([answer.status, answer.code]).toEqual([405, 'method_not_allowed'])
    expect(answer.headers.get('allow')).toBe('GET, HEAD, POST')
    const got = await registry.call('POST', '/api/v1/programs', { token: registry.admin, body: {} })
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test.each([
    ['no JSON', Buffer.from('{'), 400, 'invalid_json'],
    ['nothing', Buffer.alloc(0), 400, 'invalid_json'],
    ['more than a request may have', Buffer.alloc(LIMITS.request_bytes + 1, 0x20), 413, 'too_large'],
  ])('carries %s is refused by a problem', async (_, body, status, code) => {
    const answer = await registry.call('POST', '/api/v1/namespaces', {
      token: registry.admin,
      body,
      headers: { 'content-type': 'application/json' },
    })
    expect([answer.status, answer.code]).toEqual([status, code])
  })
})

describe('a form that', () => {
  const part =
    '--edge\r\ncontent-disposition: form-data; name="manifest"; filename="hookline.yaml"\r\n\r\nname: x'
  test.each([
    ['ends within a part', 'multipart/form-data; boundary=edge', part],
    ['ends within the header of a part', 'multipart/form-data; boundary=edge', part.slice(0, 40)],
    ['lacks its last boundary', 'multipart/form-data; boundary=edge', `${part}\r\n--edge\r\n`],
    ['has no boundary', 'multipart/form-data', `${part}\r\n--edge--\r\n`],
    ['has another boundary', 'multipart/form-data; boundary=other', `${part}\r\n--edge--\r\n`],
    ['is empty', 'multipart/form-data; boundary=edge', ''],
    ['has a part without a name', 'multipart/form-data; boundary=edge', '--edge\r\n\r\nx\r\n--edge--\r\n'],
    [
      'has a part whose header is none',
      'multipart/form-data; boundary=edge',
      '--edge\r\n\u0000\u0001: x\r\n\r\nx\r\n--edge--\r\n',
    ],
  ])('%s is refused as invalid, and is no failure of the registry', async (_, type, body) => {
    const before = registry.failures.length
    const answer = await registry.call('POST', '/api/v1/releases', {
      token: registry.admin,
      body: Buffer.from(body),
      headers: { 'content-type': type },
    })
    expect([answer.status, answer.code]).toEqual([400, 'invalid_request'])
    expect(registry.failures.length).toBe(before)
  })
})

test('what comes while the registry closes is answered in the same format', async () => {
  const other = await startRegistry()
  const agent = connect(Number(new URL(other.url).port), '127.0.0.1')
  const chunks: Buffer[] = []
  agent.on('data', (chunk) => chunks.push(chunk))
  agent.write(`GET /healthz HTTP/1.1\r\n${HOST}\r\n\r\nGET /no`)
  await once(agent, 'data')
  const closing = other.close()
  agent.write(`where HTTP/1.1\r\n${HOST}\r\n\r\n`)
  await once(agent, 'close')
  await closing
  const [, answer = ''] = Buffer.concat(chunks)
    .toString()
    .split(/(?=HTTP\/1\.1 404)/)
  expect(answer).toContain('application/problem+json')
  expect(answer).toContain('"not_found"')
})
