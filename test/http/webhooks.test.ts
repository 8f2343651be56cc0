import { createHmac } from 'node:crypto'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { NO_IDENTITIES } from '../../src/bin/identity-settings.ts'
import { PATIENT } from '../../src/http/protection.ts'
import { startWebhookWorker } from '../../src/registry/webhook-worker.ts'
import { buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

interface Heard {
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: string
}
let registry: RunningRegistry
let receiver: Server
let hooks = ''
let heard: Heard[] = []
let status = 200
let owner = ''
const key = newKey()

beforeAll(async () => {
  receiver = createServer(async (request, reply) => {
    let body = ''
    for await (const part of request) body += part
    heard.push({ path: request.url ?? '', headers: request.headers, body })
    reply.writeHead(status).end('thank you')
  })
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening))
  const address = receiver.address()
  hooks = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
  const identity = { ...NO_IDENTITIES, privateWebhooks: true }
  registry = await startRegistry(PATIENT, identity)
  owner = await registry.account('founder')
  await openNamespace({ ...registry, admin: owner }, 'acme', key)
  await openNamespace({ ...registry, admin: await registry.account('rival') }, 'other', newKey())
}, 60_000)
afterAll(async () => {
  await registry.close()
  receiver.closeAllConnections()
  receiver.close()
})
beforeEach(async () => {
  await registry.database.prisma.webhook.deleteMany()
  heard = []
  status = 200
})

const OF_ACME = '/api/v1/namespaces/acme/webhooks'
const add = async (path: string, body: object, token = owner): Promise<{ id: string; secret: string }> => {
  const answer = await registry.call('POST', path, { token, body })
  expect(answer.status).toBe(201)
  return Object(answer.json)
}
const deliveries = async (id: string, path = OF_ACME, token = owner) =>
  Object((await registry.call('GET', `${path}/${id}/deliveries`, { token })).json).deliveries
const act = (): Promise<Answer> =>
  registry.call('PUT', '/api/v1/namespaces/acme/members/rival', { token: owner, body: { role: 'reader' } })
const undo = (): Promise<Answer> =>
  registry.call('DELETE', '/api/v1/namespaces/acme/members/rival', { token: owner })
const untilHeard = (count: number): Promise<void> => expect.poll(() => heard.length).toBe(count)

describe('a webhook', () => {
  test('is told of what it wants to hear, signed', async () => {
    const { id, secret } = await add(OF_ACME, { url: `${hooks}/acme`, events: ['release.*'] })
    await act()
    await undo()
    await publishAt(registry, await buildRelease('acme/app', '1.0.0', key), { token: owner })
    await untilHeard(1)
    const [{ headers, body, path } = { headers: {}, body: '', path: '' }] = heard
    expect(path).toBe('/acme')
    expect(JSON.parse(body)).toMatchObject({
      type: 'release.publish',
      data: { actor: 'person:founder', subject: 'acme/app@1.0.0', namespace: 'acme' },
    })
    const signed = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`
    const bytes = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
    expect(bytes).toHaveLength(32)
    const expected = createHmac('sha256', bytes).update(signed).digest('base64')
    expect(headers['webhook-signature']).toBe(`v1,${expected}`)
    expect(Math.abs(Number(headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(30)
    await expect
      .poll(() => deliveries(id))
      .toMatchObject([{ event: 'release.publish', attempts: 1, status: 200, answer: 'thank you' }])
    expect(body).not.toContain('127.0.0.1') // whose address is nobody's business
  })

  test('hears of its own namespace only; the registry’s hears of all', async () => {
    await add(OF_ACME, { url: `${hooks}/acme` })
    await add('/api/v1/webhooks', { url: `${hooks}/all`, events: ['account.*'] }, registry.admin)
    await registry.account('somebody')
    await act()
    await undo()
    const rival = await registry.token({ scopes: ['manage', 'read'] }, 'rival')
    const body = { name: 'bot', role: 'reader' }
    await registry.call('POST', '/api/v1/namespaces/other/robots', { token: rival, body })
    await untilHeard(4)
    expect(heard.map(({ path, body: text }) => `${path} ${JSON.parse(text).type}`).sort()).toEqual([
      ...['/acme member.invite', '/acme member.remove', '/all account.create', '/all account.create'],
    ])
  })

  test('that does not hear is told again, by hand at once', async () => {
    status = 500
    const { id } = await add(OF_ACME, { url: `${hooks}/acme`, events: ['member.invite'] })
    await act()
    await undo()
    await untilHeard(1)
    await expect.poll(() => deliveries(id)).toMatchObject([{ status: 500, attempts: 1 }])
    const [delivery] = await deliveries(id)
    const again_s = (Date.parse(delivery.nextAt) - Date.now()) / 1000
    expect(again_s).toBeGreaterThan(0)
    expect(again_s).toBeLessThan(6)
    const [view] = Object((await registry.call('GET', OF_ACME, { token: owner })).json).webhooks
    expect(view.failingSince).toBeDefined()
    status = 204
    const path = `${OF_ACME}/${id}/deliveries/${delivery.id}/redeliver`
    expect((await registry.call('POST', path, { token: owner })).status).toBe(202)
    await untilHeard(2)
    expect(heard.map(({ headers }) => headers['webhook-id'])).toEqual([delivery.id, delivery.id])
    await expect.poll(async () => (await deliveries(id))[0].nextAt).toBeUndefined()
    const [good] = Object((await registry.call('GET', OF_ACME, { token: owner })).json).webhooks
    expect(good.failingSince).toBeUndefined()
  })

  test('that is removed while it is told takes nobody down', async () => {
    for (let round = 0; round < 20; round++) {
      const { id } = await add(OF_ACME, { url: `${hooks}/acme` })
      for (let at = 0; at < 3; at++) await registry.call('POST', `${OF_ACME}/${id}/test`, { token: owner })
      await expect.poll(() => heard.length).toBeGreaterThan(round)
      const removed = await registry.call('DELETE', `${OF_ACME}/${id}`, { token: owner })
      expect([removed.status, removed.code]).toEqual([204, undefined])
    }
    expect(registry.failures).toEqual([])
  })

  test('that fails for days is disabled, with a record, until it is tried by hand', async () => {
    status = 500
    const { id } = await add(OF_ACME, { url: `${hooks}/acme` })
    await registry.database.prisma.webhook.update({
      where: { id },
      data: { failingSince: new Date(Date.now() - 6 * 86_400_000) },
    })
    await act()
    await expect
      .poll(
        async () =>
          Object((await registry.call('GET', OF_ACME, { token: owner })).json).webhooks[0].disabledAt,
      )
      .toBeDefined()
    const audit = `/api/v1/namespaces/acme/audit?action=webhook.disable`
    expect(Object((await registry.call('GET', audit, { token: owner })).json).records).toMatchObject([
      { subject: id, after: { url: `${hooks}/acme`, problem: 'status 500' } },
    ])
    const before = heard.length
    await undo()
    status = 200
    expect((await registry.call('POST', `${OF_ACME}/${id}/test`, { token: owner })).status).toBe(202)
    await expect
      .poll(() => heard.slice(before).map(({ body }) => JSON.parse(body).type))
      .toContain('webhook.test')
  })

  test('hears once of each change, however many processes deliver, and also of what a dead one took on', async () => {
    const { id } = await add(OF_ACME, { url: `${hooks}/acme` })
    const { webhooks, clock } = registry.services
    const options = { allowPrivate: true, report: () => {} }
    const workers = [1, 2, 3].map(() => startWebhookWorker(webhooks, clock, options))
    for (let at = 0; at < 20; at++) await registry.call('POST', `${OF_ACME}/${id}/test`, { token: owner })
    await Promise.all(workers.map((worker) => worker.run()))
    await untilHeard(20)
    await expect
      .poll(async () => (await deliveries(id)).every((one: { nextAt?: string }) => one.nextAt === undefined))
      .toBe(true)
    await Promise.all(workers.map((worker) => worker.run()))
    expect(new Set(heard.map(({ headers }) => headers['webhook-id'])).size).toBe(20)
    expect(heard).toHaveLength(20)
    // one that took a delivery on and died
    await registry.database.prisma.webhookDelivery.updateMany({ data: { nextAt: null } })
    await registry.call('POST', `${OF_ACME}/${id}/test`, { token: owner })
    // or the registry's own worker was faster: then it is heard all the same
    await webhooks.claim(clock(), new Date(Date.now() + 1500), 10)
    await untilHeard(21)
    await Promise.all(workers.map((worker) => worker.close()))
  })

  test('is for owners; nobody else sees it, nor another namespace’s', async () => {
    const { id } = await add(OF_ACME, { url: hooks })
    const rival = await registry.token({ scopes: ['manage', 'read'] }, 'rival')
    for (const [method, path] of [
      ['GET', OF_ACME],
      ['GET', `${OF_ACME}/${id}/deliveries`],
      ['DELETE', `${OF_ACME}/${id}`],
      ['GET', `/api/v1/namespaces/other/webhooks/${id}/deliveries`],
      ['DELETE', `/api/v1/namespaces/other/webhooks/${id}`],
      ['POST', `/api/v1/namespaces/other/webhooks/${id}/test`],
    ] as const)
      expect([path, (await registry.call(method, path, { token: rival })).code]).toEqual([path, 'not_found'])
    expect((await registry.call('GET', '/api/v1/webhooks', { token: owner })).code).toBe('scope_missing')
    const seen = JSON.stringify((await registry.call('GET', OF_ACME, { token: owner })).json)
    expect(seen).not.toContain('whsec')
  })

  test.each([
    ['ftp://example.org', ['*']],
    ['https://user:pass@example.org/', ['*']],
    ['example.org', ['*']],
    ['https://example.org/\0', ['*']],
    ['https://example.org/\u202e', ['*']],
    ['https://example.org', ['Release']],
    ['https://example.org', []],
    ['https://example.org', ['rel*']],
  ])('%s for %o is refused', async (url, events) => {
    const answer = await registry.call('POST', OF_ACME, { token: owner, body: { url, events } })
    expect(answer.code).toBe('invalid_request')
  })

  test('is its namespace’s: it says who made it, and stays when he leaves', async () => {
    const maker = await registry.account('maker', { member: { acme: 'owner' } })
    const { id } = await add(OF_ACME, { url: hooks }, maker)
    const listed = async () => Object((await registry.call('GET', OF_ACME, { token: owner })).json).webhooks
    expect(await listed()).toMatchObject([{ id, createdBy: 'person:maker' }])
    const path = '/api/v1/namespaces/acme/members/maker'
    expect((await registry.call('DELETE', path, { token: owner })).status).toBe(204)
    expect((await registry.call('GET', OF_ACME, { token: maker })).code).toBe('not_found')
    expect(await listed()).toMatchObject([{ id, createdBy: 'person:maker' }])
  })

  test('may lead to the internet only, by https, unless the registry is a private one', async () => {
    const strict = await startRegistry()
    try {
      const ask = async (url: string) =>
        strict.call('POST', '/api/v1/webhooks', { token: strict.admin, body: { url } })
      for (const url of ['http://ci.example.org/hook', hooks, 'https://10.0.0.1/', 'https://[::1]/'])
        expect([url, (await ask(url)).code]).toEqual([url, 'address_not_allowed'])
      expect((await ask('https://ci.example.org/hook')).status).toBe(201)
    } finally {
      await strict.close()
    }
    for (const url of [hooks, 'https://10.0.0.1/']) await add(OF_ACME, { url })
  })

  test('to an address that is not of the internet is refused where that is not allowed, and not tried again', async () => {
    const { webhooks, clock } = registry.services
    const { id } = await add(OF_ACME, { url: hooks.replace('http:', 'https:') })
    await registry.services.webhookWorker.close()
    const strict = startWebhookWorker(webhooks, clock, { allowPrivate: false, report: () => {} })
    await registry.call('POST', `${OF_ACME}/${id}/test`, { token: owner })
    await strict.run()
    await strict.close()
    const [delivery] = await deliveries(id)
    expect(delivery.problem).toMatch(/127\.0\.0\.1 is no address of the internet \[address_not_allowed\]/)
    expect(delivery.nextAt).toBeUndefined()
    expect(heard).toEqual([])
  })

  test('does not wait behind all of another namespace’s', async () => {
    await registry.services.webhookWorker.close()
    const rival = await registry.token({ scopes: ['manage', 'read'] }, 'rival')
    const OF_OTHER = '/api/v1/namespaces/other/webhooks'
    const [busy, quiet] = [await add(OF_ACME, { url: hooks }), await add(OF_OTHER, { url: hooks }, rival)]
    for (let at = 0; at < 10; at++)
      await registry.call('POST', `${OF_ACME}/${busy.id}/test`, { token: owner })
    await registry.call('POST', `${OF_OTHER}/${quiet.id}/test`, { token: rival })
    const now = new Date(Date.now() + 1000)
    const claim = async (most: number): Promise<string[]> => {
      const claimed = await registry.services.webhooks.claim(now, new Date(Date.now() + 60_000), most)
      return claimed.map(({ webhookId }) => (webhookId === busy.id ? 'busy' : 'quiet')).sort()
    }
    expect(await claim(2)).toEqual(['busy', 'quiet'])
    expect(await claim(20)).toEqual(Array(9).fill('busy'))
    expect(await claim(20)).toEqual([])
  })
})
