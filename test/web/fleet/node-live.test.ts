import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WhoAmI } from '../../../src/domain/account.ts'
import { LIMITS } from '../../../src/domain/limits.ts'
import type { Observed } from '../../../src/domain/node.ts'
import { openNodeWatch } from '../../../src/web/fleet/node-watch.ts'
import { type EnrolledNode, enrolledNode } from '../../http/enrolled-node.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { openStream } from './event-stream.ts'
import { sampleChain, sampleEntry, sampleReport } from './sample-report.ts'

let registry: RunningRegistry
let node: EnrolledNode
beforeAll(async () => {
  registry = await startRegistry()
  node = await enrolledNode(registry, 'watched')
  await report(1)
})
afterAll(() => registry.close())

const runs = (pass: number): Observed =>
  sampleReport({
    at: new Date().toISOString(),
    chains: [sampleChain('eth0', 'xdp', [sampleEntry(1, { pass }, { instance: 'limit' })])],
  })
const report = (pass: number) => node.call('PUT', `/api/v1/nodes/${node.id}/observed`, { body: runs(pass) })
const streamAs = (token: string) => openStream(`${registry.url}/nodes/${node.id}/live`, token)

describe('a stream', () => {
  test('gives the picture at once, and again after a report', async () => {
    const viewer = await registry.account('viewer-live', { fleet: 'viewer' })
    const stream = await streamAs(viewer)
    expect([stream.status, stream.headers.get('content-type')]).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ])
    expect(stream.headers.get('content-encoding')).toBeNull()
    const first = await stream.next()
    expect(first?.event).toBe('picture')
    expect(first?.data).toContain('limit')
    await report(123_456)
    let second = await stream.next()
    while (second?.event === 'picture' && !second.data.includes('123\u202f456')) second = await stream.next()
    expect(second?.data).toContain('/s</span>')
    stream.close()
  })
  test('is for who may see the fleet; a node that is not there has none', async () => {
    const stranger = await registry.account('stranger-live')
    expect((await streamAs(stranger)).status).toBe(403)
    expect([303, 401]).toContain((await streamAs('hlt_nothing')).status)
    const other = `${registry.url}/nodes/00000000-0000-7000-8000-000000000000/live`
    expect((await openStream(other, registry.admin)).status).toBe(404)
    expect((await openStream(`${registry.url}/nodes/..%2f/live`, registry.admin)).status).toBe(404)
  })
  test('ends when the token is revoked, at latest after the named time', { timeout: 60_000 }, async () => {
    const secret = await registry.account('leaver', { fleet: 'viewer' })
    const stream = await streamAs(secret)
    expect((await stream.next())?.event).toBe('picture')
    const me = WhoAmI.parse((await registry.call('GET', '/api/v1/whoami', { token: secret })).json)
    const revoked = await registry.call('DELETE', `/api/v1/tokens/${me.token.id}`, { token: secret })
    expect(revoked.status).toBe(204)
    const since = performance.now()
    let event = await stream.next()
    while (event !== undefined) event = await stream.next()
    expect(performance.now() - since).toBeLessThan(LIMITS.live_check_ms + 10_000)
  })
  test('is one of so many of an account; a page that is closed makes room', { timeout: 60_000 }, async () => {
    const viewer = await registry.account('many-eyes', { fleet: 'viewer' })
    const open = await Promise.all(
      Array.from({ length: LIMITS.live_streams_account }, () => streamAs(viewer)),
    )
    expect(open.map(({ status }) => status)).toEqual(open.map(() => 200))
    const refused = await streamAs(viewer)
    expect(refused.status).toBe(429)
    open[0]?.close()
    let again = await streamAs(viewer)
    while (again.status === 429) again = await streamAs(viewer)
    expect(again.status).toBe(200)
    for (const stream of [...open, again]) stream.close()
  })
  test('ends when the node is forgotten', { timeout: 60_000 }, async () => {
    const gone = await enrolledNode(registry, 'forgotten')
    const stream = await openStream(`${registry.url}/nodes/${gone.id}/live`, registry.admin)
    expect((await stream.next())?.event).toBe('picture')
    await registry.call('DELETE', `/api/v1/nodes/${gone.id}`, { token: registry.admin })
    expect(await stream.next()).toBeUndefined()
    expect(registry.failures).toEqual([])
  })
})

describe('the watch', () => {
  test('looks once for all who follow a node, and at nothing when they are gone', async () => {
    let looks = 0
    const { nodeDesk, clock } = registry.services
    const desk = {
      view: nodeDesk.view,
      reportedAt: (id: string) => {
        looks += 1
        return nodeDesk.reportedAt(id)
      },
    }
    const watch = openNodeWatch(desk, clock, 60_000)
    const [one, two] = [new AbortController(), new AbortController()]
    const [first, second] = [watch.follow(node.id, one.signal), watch.follow(node.id, two.signal)]
    const pictures = await Promise.all([first.next(), second.next()])
    expect(pictures[0].value).toBe(pictures[1].value)
    expect([looks, watch.watched]).toEqual([1, 1])
    const waiting = first.next()
    one.abort()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(watch.watched).toBe(1)
    await second.return()
    expect(watch.watched).toBe(0)
  })
})

test('a registry that closes ends its streams', { timeout: 60_000 }, async () => {
  const closing = await startRegistry()
  try {
    const there = await enrolledNode(closing, 'closing')
    const stream = await openStream(`${closing.url}/nodes/${there.id}/live`, closing.admin)
    expect((await stream.next())?.event).toBe('picture')
    const closed = closing.close()
    expect(await stream.next()).toBeUndefined()
    await closed
  } catch (thrown) {
    await closing.close()
    throw thrown
  }
})
