import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../../src/attest/http-signature.ts'
import { LIMITS } from '../../../src/domain/limits.ts'
import {
  applyOrder,
  deleteFunction,
  type EnrolledNode,
  enrolledNode,
  factsOf,
  putFunction,
  removeOrder,
} from '../../http/enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from '../../http/release-builder.ts'
import { type RunningRegistry, startRegistry } from '../../http/running-registry.ts'
import { refusedByVerifier, sampleChain, sampleEntry, sampleReport } from './sample-report.ts'

const publisher = newKey()
const operator = newKey('ed25519')
let registry: RunningRegistry
let node: EnrolledNode
let viewer: string
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await addKey(registry, '/api/v1/operators/keys', operator)
  for (const version of ['1.0.0', '1.1.0'])
    await publishAt(registry, await buildRelease('acme/limit', version, publisher))
  node = await enrolledNode(registry, 'edge-1', { role: 'edge' })
  await enrolledNode(registry, 'core-1', { role: 'core' })
  viewer = await registry.account('viewer', { fleet: 'viewer' })
  await putFunction(registry, 'edge', applyOrder('edge', 1, operator, { selector: { role: 'edge' } }))
  await putFunction(
    registry,
    'edge',
    applyOrder('edge', 2, operator, {
      selector: { role: 'edge' },
      instances: [{ use: 'acme/limit@~1.0.0' }, { use: 'acme/limit@^9.0', name: 'future' }],
    }),
  )
})
afterAll(() => registry.close())

interface Look {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}
async function look(path: string, token?: string, headers: Record<string, string> = {}): Promise<Look> {
  const cookie = token === undefined ? {} : { cookie: `hookline=given.${token}` }
  const answer = await fetch(registry.url + path, { redirect: 'manual', headers: { ...cookie, ...headers } })
  return { status: answer.status, text: await answer.text(), headers: answer.headers }
}
const report = (of: EnrolledNode, body: object) => of.call('PUT', `/api/v1/nodes/${of.id}/observed`, { body })

describe('who may see the fleet', () => {
  const paths = (): string[] => ['/nodes', `/nodes/${node.id}`, '/functions', '/functions/edge']
  test('a viewer may, a stranger may not', async () => {
    const stranger = await registry.account('stranger')
    for (const path of paths()) {
      expect((await look(path, viewer)).status, path).toBe(200)
      const refused = await look(path, stranger)
      expect(refused.status, path).toBe(403)
      expect(refused.text, path).not.toContain('edge-1')
    }
  })
  test('nobody in particular is asked to sign in, a node is nobody here', async () => {
    for (const path of paths()) {
      const signed = signRequest({ method: 'GET', path, body: Buffer.alloc(0), keyId: node.id }, node.key)
      for (const headers of [{}, signed, { authorization: `Bearer ${viewer}` }]) {
        const refused = await look(path, undefined, headers)
        expect([303, 401], path).toContain(refused.status)
        expect(refused.text, path).not.toContain('edge-1')
      }
    }
  })
  test('what is not there is not found', async () => {
    const paths = ['/nodes/nothing', '/nodes/00000000-0000-7000-8000-000000000000', '/functions/nothing']
    for (const path of [...paths, '/functions/__proto__'])
      expect((await look(path, viewer)).status, path).toBe(404)
  })
})

describe('nodes', () => {
  test('are listed with how they are; filters are addresses', async () => {
    await report(node, sampleReport({ errors: [refusedByVerifier()] }))
    const { text } = await look('/nodes', viewer)
    expect(text.indexOf('edge-1')).toBeLessThan(text.indexOf('core-1'))
    expect(text).toContain('never reported')
    const filtered = await look('/nodes?label=role%3Dcore', viewer)
    expect(filtered.text).toContain('core-1')
    expect(filtered.text).not.toContain('edge-1')
    expect((await look('/nodes?state=running&q=%3Cscript%3E', viewer)).text).toContain('No node fits')
  })
  test('are shown with what they run', async () => {
    const entries = [
      sampleEntry(1, { pass: 900, drop: 100 }, { instance: 'limit' }),
      sampleEntry(2, { pass: 890, missing: 10 }, { release: 'not a release', form: 'called' }),
    ]
    await report(node, sampleReport({ chains: [sampleChain('eth0', 'xdp', entries)] }))
    const { text, headers } = await look(`/nodes/${node.id}`, viewer)
    expect(text).toContain('<a href="/programs/acme/limit/v/1.0.0">')
    expect(text).toContain('<bdi>not a release</bdi>')
    expect(text).toContain('unexpectedly absent')
    expect(text).toContain(`data-live="/nodes/${node.id}/live"`)
    expect(text).not.toMatch(/ style=/)
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  })
  test('cannot put markup, or text that steers, into a page', async () => {
    const evil = '<img src=x onerror=alert(1)>\u202e"\'&'
    const error = { code: evil, message: evil, remedy: evil, log: `${evil}\n</code></pre><script>` }
    const entry = sampleEntry(1, { pass: 1 }, { release: evil, entry: evil, proceed: [evil] })
    const chain = sampleChain(evil, 'xdp', [entry], { netns: evil, programTag: evil })
    const functions = [{ name: 'edge', revision: 1, state: 'refused', error }]
    expect((await report(node, sampleReport({ chains: [chain], errors: [error], agent: evil }))).status).toBe(
      204,
    )
    await report(node, { ...sampleReport({ chains: [chain], errors: [error], agent: evil }), functions })
    for (const path of ['/nodes', `/nodes/${node.id}`, '/functions/edge']) {
      const { text, status } = await look(path, viewer)
      expect(status, path).toBe(200)
      expect(text, path).not.toMatch(/<img|<script>|\u202e/)
    }
  })
  test('that say more than can be shown are cut', async () => {
    const long = 'y'.repeat(500_000)
    const entry = sampleEntry(1, { pass: 1 }, { release: long, entry: long })
    await report(node, sampleReport({ chains: [sampleChain(long, 'xdp', [entry], { netns: long })] }))
    for (const path of ['/nodes', `/nodes/${node.id}`])
      expect((await look(path, viewer)).text.length, path).toBeLessThan(60_000)
  })
  test('have the whole log there, its end first', async () => {
    await report(node, sampleReport({ errors: [refusedByVerifier(300)] }))
    const { text } = await look(`/nodes/${node.id}`, viewer)
    const [end, whole] = [text.indexOf('R2 offset is outside'), text.indexOf('The whole log, 303 lines')]
    expect(end).toBeGreaterThan(0)
    expect(end).toBeLessThan(whole)
    expect(text.slice(0, whole)).not.toContain('processed 812 insns')
    expect(text.slice(whole)).toContain('processed 812 insns')
  })
})

test('a large fleet has pages; one beyond the last is the last', async () => {
  const facts = (name: string) => ({ ...factsOf(name, { role: 'many' }) })
  await registry.database.prisma.node.createMany({
    data: Array.from({ length: LIMITS.page_items + 20 }, (_, at) => {
      const name = `many-${String(at).padStart(3, '0')}`
      return { name, fingerprint: `sha256:${'0'.repeat(64)}`, spki: new Uint8Array(1), facts: facts(name) }
    }),
  })
  const first = await look('/nodes?label=role%3Dmany', viewer)
  expect(first.text).toContain(`1–${LIMITS.page_items} of ${LIMITS.page_items + 20}`)
  expect(first.text).toContain('rel="next" href="/nodes?label=role%3Dmany&amp;page=2"')
  expect(first.text).not.toContain(`many-${LIMITS.page_items}<`)
  for (const page of [2, 99]) {
    const { text } = await look(`/nodes?label=role%3Dmany&page=${page}`, viewer)
    expect(text).toContain(`many-${LIMITS.page_items}<`)
    expect(text).not.toContain('rel="next"')
  }
})

describe('a report from before summaries were kept', () => {
  test('is summed up all the same', async () => {
    await report(node, sampleReport({ errors: [refusedByVerifier()] }))
    await registry.database.prisma.$executeRaw`UPDATE "node_observed" SET "summary" = NULL`
    expect((await look('/nodes', viewer)).text).toContain('the kernel refused the program')
  })
})

describe('functions', () => {
  test('are listed with what their ranges stand for', async () => {
    const { text } = await look('/functions', viewer)
    expect(text).toContain('<a href="/programs/acme/limit/v/1.0.0">')
    expect(text).toContain('acme/limit@^9.0: no release fits')
    expect(text).toContain('meets 1')
  })
  test('say who signed them, what a packet meets, and what changed', async () => {
    const { text } = await look('/functions/edge', viewer)
    expect(text).toContain(operator.fingerprint)
    expect(text).toContain('added: future')
    expect(text).toContain('acme/limit 1.1.0 → 1.0.0')
    expect(text).toContain('hookline function rollback edge --key operator.pem')
    expect(text).toContain('<b>future</b>, no release fits')
  })
  test('are shown without the manifests of programs that one may not read', async () => {
    await openNamespace(registry, 'secret', publisher)
    await publishAt(registry, await buildRelease('secret/plan', '1.0.0', publisher))
    const path = '/api/v1/programs/secret/plan/visibility'
    const hidden = await registry.call('PUT', path, {
      token: registry.admin,
      body: { visibility: 'private' },
    })
    expect(hidden.status).toBeLessThan(300)
    const order = applyOrder('hidden', 1, operator, { instances: [{ use: 'secret/plan@^1.0' }] })
    await putFunction(registry, 'hidden', order)
    expect((await look('/functions/hidden', viewer)).text).toContain('its program is not yours to read')
    expect((await look('/functions/hidden', registry.admin)).text).not.toContain('not yours to read')
  })
  test('that are removed keep their past', async () => {
    await putFunction(registry, 'gone', applyOrder('gone', 1, operator))
    await deleteFunction(registry, 'gone', removeOrder('gone', 2, operator))
    expect((await look('/functions', viewer)).text).toContain('by revision 2')
    const { text } = await look('/functions/gone', viewer)
    expect(text).toContain('<b>Removed</b>')
    expect(text).toContain('the first, with 1 instance')
    expect(text).not.toContain('hookline function remove')
  })
})
