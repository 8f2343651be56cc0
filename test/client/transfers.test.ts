import { createHash, randomBytes } from 'node:crypto'
import { connect, createServer, type Server } from 'node:net'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { registryClient } from '../../src/client/registry-client.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { buildRelease, newKey, openNamespace } from '../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../http/running-registry.ts'

let registry: RunningRegistry
let relay: Server
let url = ''
/** Bytes after which each next connection breaks: of what is sent, or of what comes back. */
let breaks: { up?: number; down?: number }[] = []
let connections = 0
/** Ends what earlier tests left open, so that each begins with a new connection. */
const open = new Set<() => void>()
const key = newKey()
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', key)
  const port = Number(new URL(registry.url).port)
  relay = createServer((client) => {
    connections++
    const { up = Number.POSITIVE_INFINITY, down = Number.POSITIVE_INFINITY } = breaks.shift() ?? {}
    const server = connect(port, '127.0.0.1')
    const end = (): void => {
      client.destroy()
      server.destroy()
    }
    let [sent, got] = [0, 0]
    client.on('data', (part) => {
      sent += part.length
      if (sent > up) return end()
      server.write(part)
      return undefined
    })
    server.on('data', (part) => {
      got += part.length
      if (got > down) return end()
      client.write(part)
      return undefined
    })
    open.add(end)
    for (const socket of [client, server]) {
      socket.on('error', end)
      socket.on('close', end)
    }
  })
  await new Promise<void>((listening) => relay.listen(0, '127.0.0.1', listening))
  const address = relay.address()
  url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
}, 60_000)
afterAll(async () => {
  await registry.close()
  relay.close()
})
const endAll = (): void => {
  for (const end of open) end()
  open.clear()
}
beforeEach(() => {
  endAll()
  breaks = []
  connections = 0
})

const LARGE = randomBytes(3 << 20)
const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`
const release = (version: string) =>
  buildRelease('acme/large', version, key, {
    manifest: { readme: 'README.md' },
    files: [['README.md', LARGE]],
  })
const client = () => registryClient(url, registry.admin)

test('a publish whose connection breaks goes on, and says how much has passed', async () => {
  breaks = [{}, { up: 1 << 20 }, { up: 2 << 20 }] // the list, then two tries of the large file
  const built = await release('1.0.0')
  let passed = 0
  const view = await client().publish(built, (bytes) => {
    passed += bytes
  })
  expect(view.files.find(({ name }) => name === 'README.md')?.digest).toBe(digestOf(LARGE))
  expect(passed).toBe([...built.files.values()].reduce((sum, { length }) => sum + length, 0))
  expect(connections).toBeGreaterThan(2)
  expect((await registry.call('GET', '/api/v1/uploads', { token: registry.admin })).json).toEqual({
    files: [],
  })
})

test('what was sent ahead is not sent again by the next publish, and by nobody else', async () => {
  const sent = await registry.call('PUT', `/api/v1/uploads/${digestOf(LARGE)}`, {
    ...{ token: registry.admin, body: LARGE, headers: { 'content-type': 'application/octet-stream' } },
  })
  expect(sent.json).toMatchObject({ digest: digestOf(LARGE), size: LARGE.length })
  breaks = Array.from({ length: 20 }, () => ({ up: 1 << 20 })) // too little for the large file
  expect((await client().publish(await release('1.1.0'))).version).toBe('1.1.0')

  // knowing a digest gives nobody the bytes
  const stranger = await registry.account('stranger')
  const own = newKey()
  await openNamespace({ ...registry, admin: stranger }, 'mine', own)
  const { files, bundle } = await buildRelease('mine/copy', '1.0.0', own, { files: [['README.md', LARGE]] })
  const form = new FormData()
  for (const [name, bytes] of files)
    if (name !== 'README.md')
      form.append(name === 'hookline.yaml' ? 'manifest' : 'file', new Blob([new Uint8Array(bytes)]), name)
  form.append('bundle', new Blob([bundle]), 'bundle.json')
  form.append(
    'staged',
    new Blob([JSON.stringify([{ name: 'README.md', digest: digestOf(LARGE) }])]),
    'staged.json',
  )
  const answer = await registry.call('POST', '/api/v1/releases', { token: stranger, form })
  expect(answer.code).toBe('upload_missing')
})

test('a download whose connection breaks goes on where it was', async () => {
  breaks = [{ down: 1 << 20 }, { down: 1 << 20 }]
  let passed = 0
  const bytes = await client().blob(digestOf(LARGE), LARGE.length, (more) => {
    passed += more
  })
  expect(bytes.equals(LARGE)).toBe(true)
  expect(passed).toBe(LARGE.length) // nothing came twice
  expect(connections).toBeGreaterThanOrEqual(3)
  endAll()
  breaks = Array.from({ length: 20 }, () => ({ down: 100_000 }))
  await expect(client().blob(digestOf(LARGE), LARGE.length)).rejects.toMatchObject({
    code: 'registry_unavailable',
  })
})

test('files ahead are what they are said to be, and so many at most', async () => {
  const put = (digest: string, body: Buffer) =>
    registry.call('PUT', `/api/v1/uploads/${digest}`, {
      ...{ token: registry.admin, body, headers: { 'content-type': 'application/octet-stream' } },
    })
  expect((await put(digestOf(LARGE), Buffer.from('other'))).code).toBe('digest_mismatch')
  const whole = Buffer.alloc(LIMITS.file_bytes)
  for (let at = 0; at < LIMITS.staged_bytes / LIMITS.file_bytes; at++) {
    whole.writeUInt32LE(at)
    expect((await put(digestOf(whole), whole)).status).toBe(200)
  }
  expect((await put(digestOf(Buffer.from('more')), Buffer.from('more'))).code).toBe('quota_exceeded')
  // neither do many at once get more in than there is room for
  const { prisma } = registry.database
  await prisma.stagedFile.deleteMany({ where: { digest: digestOf(whole) } })
  const { id } = await prisma.account.findUniqueOrThrow({ where: { name: 'admin' } })
  const expiresAt = new Date(Date.now() + 60_000)
  const last = Array.from({ length: 8 }, (_, at) =>
    registry.services.uploads.add(id, digestOf(Buffer.from([at])), whole.length, new Date(), expiresAt),
  )
  const results = await Promise.allSettled(last)
  expect(results.filter((one) => one.status === 'fulfilled')).toHaveLength(1)
  const large = Buffer.alloc(LIMITS.file_bytes + 1)
  expect((await put(digestOf(large), large)).code).toBe('too_large')
}, 30_000)

test('a release that was yanked or deprecated is answered with a warning', async () => {
  const path = '/api/v1/programs/acme/large/versions/1.0.0'
  await registry.call('PUT', `${path}/yank`, {
    token: registry.admin,
    body: { message: 'drops "IPv6" – use 1.1.0' },
  })
  const heard: string[] = []
  await registryClient(registry.url, undefined, (text) => heard.push(text)).release('acme/large', '1.0.0')
  expect(heard).toEqual(["acme/large@1.0.0 is yanked: drops 'IPv6' ? use 1.1.0"])
})
