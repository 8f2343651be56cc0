import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { serveMetrics } from '../../src/http/metrics-server.ts'
import type { Listening } from '../../src/http/plain-server.ts'

let server: Listening | undefined
afterEach(() => server?.close())
const serve = async (metrics: () => string | undefined, port = 0): Promise<string> => {
  server = await serveMetrics(metrics, 'text/plain; version=0.0.4', { host: '127.0.0.1', port })
  return server.url
}

test('metrics are what they are when they are asked for', async () => {
  let count = 0
  const url = await serve(() => `x ${++count}\n`)
  for (const now of [1, 2]) {
    const answer = await fetch(`${url}/metrics?name=x`)
    expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4'])
    expect(await answer.text()).toBe(`x ${now}\n`)
  }
  const head = await fetch(`${url}/metrics`, { method: 'HEAD' })
  expect([head.status, await head.text()]).toEqual([200, ''])
})

test.each([
  ['GET', '/', 404],
  ['GET', '/metrics/x', 404],
  ['POST', '/metrics', 405],
])('%s %s is answered by %i, and asks for nothing', async (method, path, status) => {
  const url = await serve(() => expect.unreachable())
  expect((await fetch(url + path, { method })).status).toBe(status)
})

test('there are none before the agent has looked', async () => {
  const url = await serve(() => undefined)
  expect((await fetch(`${url}/metrics`)).status).toBe(503)
})

test('a port that is taken is said', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  const { port } = other.address() as AddressInfo
  await expect(serve(() => '', port)).rejects.toMatchObject({ code: 'address_in_use' })
  other.close()
})
