import { createServer, type Server } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { asDomainError } from '../../src/domain/errors.ts'
import { guardedFetch, isPublicAddress } from '../../src/registry/guarded-fetch.ts'

test.each(
  [
    ...[
      '8.8.8.8',
      '1.1.1.1',
      '172.15.255.255',
      '172.32.0.1',
      '100.63.0.1',
      '2a00:1450:4001::1',
      '2606:4700::1',
    ].map((address) => [address, true] as const),
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1'],
    ...[
      '172.31.255.255',
      '192.168.1.1',
      '192.0.2.1',
      '198.18.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '240.0.0.1',
    ],
    ...[
      '::',
      '::1',
      '::ffff:8.8.8.8',
      '::ffff:127.0.0.1',
      '64:ff9b::7f00:1',
      'fe80::1',
      'fc00::1',
      'fd12::1',
      'ff02::1',
    ],
    ...['2001:db8::1', '2002:7f00:1::', '2001::1', '100::1', 'localhost', '', '127.1', '0x7f.1'],
  ].map((one) => (typeof one === 'string' ? ([one, false] as const) : one)),
)('%s is public: %s', (address, is) => {
  expect(isPublicAddress(address)).toBe(is)
})

let server: Server
let url = ''
let asked = 0
beforeAll(async () => {
  server = createServer((request, reply) => {
    asked++
    if (request.url === '/away') {
      reply.writeHead(302, { location: `${url}/there` }).end()
    } else if (request.url === '/endless') {
      const timer = setInterval(() => reply.write('x'.repeat(4096)), 1)
      reply.on('close', () => clearInterval(timer))
    } else if (request.url === '/other') {
      request.socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n')
    } else if (request.url === '/half') {
      reply.writeHead(200, { 'content-length': 100 }).write('half', () => request.socket.destroy())
    } else if (request.url === '/early') {
      for (let at = 0; at < 3; at++) reply.writeProcessing()
      request.socket.destroy()
    } else if (request.url !== '/silent') reply.end('hello')
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
})
afterAll(() => {
  server.closeAllConnections()
  server.close()
})
const ask = async (address: string, allowPrivate: boolean, timeout_ms = 2000): Promise<unknown> => {
  const options = { method: 'GET', headers: {}, timeout_ms, mostBytes: 1024, allowPrivate } as const
  try {
    const { status, body } = await guardedFetch(address, options)
    return [status, body.length]
  } catch (thrown) {
    return asDomainError(thrown).code
  }
}

test('asks nobody who is not of the internet, by number or by name', async () => {
  const { port } = new URL(url)
  for (const address of [
    url,
    `https://127.0.0.1:${port}/`,
    `https://localhost:${port}/`,
    `https://[::1]:${port}/`,
    `https://[::ffff:127.0.0.1]:${port}/`,
    `https://2130706433:${port}/`, // URL makes 127.0.0.1 of it
    'https://169.254.169.254/latest/meta-data',
  ])
    expect([address, await ask(address, false)]).toEqual([address, 'address_not_allowed'])
  expect(asked).toBe(0)
})

test('follows no redirect, reads no more than it is to, and does not wait for ever', async () => {
  expect(await ask(url, true)).toEqual([200, 5])
  expect(await ask(`${url}/away`, true)).toEqual([302, 0])
  expect(await ask(`${url}/endless`, true)).toEqual([200, 1024])
  expect(await ask(`${url}/silent`, true, 200)).toBe('delivery_failed')
  expect(await ask('http://127.0.0.1:1/', true)).toBe('delivery_failed')
  expect(await ask('https://no.such.name.invalid/', false)).toBe('delivery_failed')
})

test.each(['/other', '/half', '/early'])('is done with a server that answers by %s', async (path) => {
  expect(await ask(`${url}${path}`, true)).toBe('delivery_failed')
})
