import { execFileSync } from 'node:child_process'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { createServer as createHttp, request as requestHttp, type Server } from 'node:http'
import { createServer as createHttps } from 'node:https'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Registry, serve } from '../../src/bin/serve.ts'
import { hookline, scratch } from './hookline.ts'

const folder = await scratch()
let registry: Registry
let tls: Server
let proxy: Server
let asked: string[] = []
const portOf = (server: Server): number => {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
const listen = (server: Server): Promise<void> =>
  new Promise((listening) => server.listen(0, '127.0.0.1', listening))

beforeAll(async () => {
  await chmod(folder, 0o711)
  registry = await serve({ dataDir: join(folder, 'registry'), port: 0 })
  const port = Number(new URL(registry.url).port)
  const make = [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-days',
    '2',
  ]
  execFileSync(
    'openssl',
    [
      ...make,
      '-keyout',
      'tls.key',
      '-out',
      'tls.pem',
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost',
    ],
    { cwd: folder, stdio: 'ignore' },
  )
  // what ends TLS in front of a registry
  tls = createHttps(
    { key: await readFile(join(folder, 'tls.key')), cert: await readFile(join(folder, 'tls.pem')) },
    (request, reply) => {
      const { method, url, headers } = request
      const onward = requestHttp({ host: '127.0.0.1', port, method, path: url, headers }, (answer) => {
        reply.writeHead(answer.statusCode ?? 502, answer.headers)
        answer.pipe(reply)
      })
      request.pipe(onward)
    },
  )
  proxy = createHttp((request, reply) => {
    asked.push(`${request.method} ${request.url}`)
    const { method, headers } = request
    const onward = requestHttp(request.url ?? '', { method, headers }, (answer) => {
      reply.writeHead(answer.statusCode ?? 502, answer.headers)
      answer.pipe(reply)
    })
    request.pipe(onward)
  })
  proxy.on('connect', (request, client) => {
    asked.push(`CONNECT ${request.url}`)
    const [host = '', to] = (request.url ?? '').split(':')
    const server = connect(Number(to), host === 'localhost' ? '127.0.0.1' : host, () => {
      client.write('HTTP/1.1 200 OK\r\n\r\n')
      server.pipe(client)
      client.pipe(server)
    })
    for (const socket of [client, server]) socket.on('error', () => socket.destroy())
  })
  await Promise.all([listen(tls), listen(proxy)])
}, 120_000)
afterAll(async () => {
  await registry?.close()
  for (const server of [tls, proxy]) {
    server?.closeAllConnections()
    server?.close()
  }
})

test('a registry behind an authority of one’s own is reached by its file, and by nothing else', async () => {
  const env = { HOOKLINE_URL: `https://localhost:${portOf(tls)}` }
  const unknown = await hookline(folder, ['search'], env)
  expect([unknown.code, unknown.stderr]).toEqual([
    1,
    expect.stringMatching(/certificate.*\[registry_unavailable\]/),
  ])
  const known = await hookline(folder, ['search'], { ...env, HOOKLINE_CA_FILE: join(folder, 'tls.pem') })
  expect(known).toMatchObject({ code: 0, stdout: 'nothing found\n' })
  for (const [file, why] of [
    ['none.pem', /HOOKLINE_CA_FILE: .*ENOENT.*\[file_unreadable\]/],
    ['empty.pem', /HOOKLINE_CA_FILE: it holds no certificate/],
  ] as const) {
    if (file === 'empty.pem') await writeFile(join(folder, file), 'nothing')
    const run = await hookline(folder, ['search'], { ...env, HOOKLINE_CA_FILE: join(folder, file) })
    expect([run.code, run.stderr]).toEqual([1, expect.stringMatching(why)])
  }
})

test('requests go through the proxy that the environment names, but to hosts that it excepts', async () => {
  const address = `http://127.0.0.1:${portOf(proxy)}`
  asked = []
  const plain = await hookline(folder, ['search'], { HOOKLINE_URL: registry.url, HTTP_PROXY: address })
  expect(plain).toMatchObject({ code: 0 })
  expect(asked.join()).toContain(new URL(registry.url).host)
  asked = []
  const secure = {
    HOOKLINE_URL: `https://localhost:${portOf(tls)}`,
    HOOKLINE_CA_FILE: join(folder, 'tls.pem'),
  }
  expect(await hookline(folder, ['search'], { ...secure, HTTPS_PROXY: address })).toMatchObject({ code: 0 })
  expect(asked).toEqual([`CONNECT localhost:${portOf(tls)}`])
  asked = []
  const except = { HOOKLINE_URL: registry.url, HTTP_PROXY: address, NO_PROXY: '127.0.0.1' }
  expect(await hookline(folder, ['search'], except)).toMatchObject({ code: 0 })
  expect(asked).toEqual([])
})
