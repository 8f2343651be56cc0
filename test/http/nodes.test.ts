import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/attest/http-signature.ts'
import { Enrolled, NodeList } from '../../src/domain/node.ts'
import {
  applyOrder,
  deleteFunction,
  emptyReport,
  enrol,
  enrolledNode,
  enrolment,
  factsOf,
  joinToken,
  putFunction,
  removeOrder,
} from './enrolled-node.ts'
import { addKey, buildRelease, newKey, openNamespace, publishAt } from './release-builder.ts'
import { type RunningRegistry, startBeside, startRegistry } from './running-registry.ts'

const publisher = newKey()
const operator = newKey('ed25519')
let registry: RunningRegistry
beforeAll(async () => {
  registry = await startRegistry()
  await openNamespace(registry, 'acme', publisher)
  await addKey(registry, '/api/v1/operators/keys', operator)
  expect((await publishAt(registry, await buildRelease('acme/limit', '1.0.0', publisher))).status).toBe(201)
})
afterAll(() => registry.close())
const idOf = (answer: { json: unknown }): string => Enrolled.parse(answer.json).id

describe('joining', () => {
  test('a lost answer: the same name and key again gives the same id, and costs no use', async () => {
    const key = newKey('ed25519')
    const token = await joinToken(registry, { maxUses: 1 })
    const [first, again] = [
      await enrol(registry, token, key, factsOf('join-1')),
      await enrol(registry, token, key, factsOf('join-1')),
    ]
    expect([first.status, again.status]).toEqual([201, 201])
    expect(idOf(again)).toBe(idOf(first))
  })
  test('another key by a known name is refused', async () => {
    const token = await joinToken(registry, { maxUses: 2 })
    await enrol(registry, token, newKey('ed25519'), factsOf('join-2'))
    const answer = await enrol(registry, token, newKey('ed25519'), factsOf('join-2'))
    expect([answer.status, answer.code]).toEqual([409, 'node_exists'])
  })
  test('changed facts are taken, for a use of the token', async () => {
    const key = newKey('ed25519')
    const first = await enrol(registry, await joinToken(registry), key, factsOf('join-3', { role: 'edge' }))
    const spent = await joinToken(registry)
    await enrol(registry, spent, newKey('ed25519'), factsOf('join-3b'))
    const refused = await enrol(registry, spent, key, factsOf('join-3', { role: 'core' }))
    expect([refused.status, refused.code]).toEqual([401, 'join_token_refused'])
    const moved = await enrol(registry, await joinToken(registry), key, factsOf('join-3', { role: 'core' }))
    expect(idOf(moved)).toBe(idOf(first))
    const { nodes } = NodeList.parse(
      (await registry.call('GET', '/api/v1/nodes', { token: registry.admin })).json,
    )
    expect(nodes.find(({ id }) => id === idOf(first))?.facts.labels).toEqual({ role: 'core' })
  })
  test('a token lets in as many nodes as it says, also when they come at once', async () => {
    const token = await joinToken(registry, { maxUses: 3 })
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, at) => enrol(registry, token, newKey('ed25519'), factsOf(`many-${at}`))),
    )
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3)
    for (const { status, code } of answers) if (status !== 201) expect(code).toBe('join_token_refused')
  })
  test('an unknown, an expired and another kind of token are refused', async () => {
    const key = newKey('ed25519')
    const expired = await joinToken(registry)
    await registry.database.prisma.joinToken.updateMany({ data: { expiresAt: new Date() } })
    for (const token of [`hlj_${'A'.repeat(43)}`, expired, registry.admin]) {
      const answer = await enrol(registry, token, key, factsOf('join-4'))
      expect([answer.status, answer.code]).toEqual([401, 'join_token_refused'])
    }
  })
  test('a key that cannot sign requests is refused', async () => {
    const liar = enrolment(await joinToken(registry), newKey('p256'), factsOf('join-5'), {
      signer: newKey('ed25519'),
    })
    const answer = await registry.call('POST', '/api/v1/nodes', liar)
    expect([answer.status, answer.code]).toEqual([400, 'invalid_key'])
  })
  test('whoever cannot sign with the key that he brings is refused, and the token keeps its use', async () => {
    const token = await joinToken(registry, { maxUses: 1 })
    const [key, facts] = [newKey('ed25519'), factsOf('join-6')]
    const { body, headers } = enrolment(token, key, facts)
    const lies = [
      { body, headers: { 'content-type': 'application/json' } },
      enrolment(token, key, facts, { signer: newKey('ed25519') }),
      enrolment(token, key, facts, { keyId: newKey('ed25519').fingerprint }),
      { ...enrolment(token, key, facts), body: enrolment(token, newKey('ed25519'), facts).body },
      { ...enrolment(token, key, facts), body: enrolment(token, key, factsOf('join-6b')).body },
    ]
    for (const lie of lies) {
      const answer = await registry.call('POST', '/api/v1/nodes', lie)
      expect([answer.status, answer.code]).toEqual([401, 'node_unauthenticated'])
    }
    expect((await registry.call('POST', '/api/v1/nodes', { body, headers })).status).toBe(201)
  })
  test.each<[string, object, Record<string, string>, boolean]>([
    ['none, of a token that allows none', {}, {}, true],
    ['one, of a token that allows none', {}, { role: 'edge' }, false],
    ['the one that is allowed', { labels: { role: 'edge' } }, { role: 'edge' }, true],
    ['fewer than are allowed', { labels: { role: 'edge', site: 'fra' } }, { site: 'fra' }, true],
    ['another value than is allowed', { labels: { role: 'edge' } }, { role: 'core' }, false],
    ['one more than is allowed', { labels: { role: 'edge' } }, { role: 'edge', site: 'fra' }, false],
    [
      'a value of its own',
      { labels: { role: 'edge' }, freeLabels: ['rack'] },
      { role: 'edge', rack: '7' },
      true,
    ],
    [
      'a value of its own where one is given',
      { labels: { role: 'edge' }, freeLabels: ['*'] },
      { role: 'x' },
      false,
    ],
    ['any, of a token that allows any', { freeLabels: ['*'] }, { role: 'core', site: 'fra' }, true],
    ['a name of every object', { labels: { role: 'edge' } }, { constructor: 'x' }, false],
  ])('a node may have %s', async (what, allowed, labels, isAllowed) => {
    const token = await joinToken(registry, { freeLabels: [], ...allowed })
    const name = `labelled-${what.replaceAll(/[^a-z]+/g, '-')}`
    const answer = await enrol(registry, token, newKey('ed25519'), factsOf(name, labels))
    expect([answer.status, answer.code]).toEqual(isAllowed ? [201, undefined] : [403, 'label_not_allowed'])
    // a refusal uses nothing up
    const again = await enrol(registry, token, newKey('ed25519'), factsOf(`${name}-2`))
    expect(again.status).toBe(isAllowed ? 401 : 201)
  })
  test('a node that is known gets no other labels than a join token allows', async () => {
    const key = newKey('ed25519')
    const join = async (labels: Record<string, string>, allowed: object) =>
      enrol(
        registry,
        await joinToken(registry, { freeLabels: [], ...allowed }),
        key,
        factsOf('climber', labels),
      )
    expect((await join({ role: 'lab' }, { labels: { role: 'lab' } })).status).toBe(201)
    const climbed = await join({ role: 'payments' }, { labels: { role: 'lab' } })
    expect([climbed.status, climbed.code]).toEqual([403, 'label_not_allowed'])
    expect((await join({ role: 'payments' }, { labels: { role: 'payments' } })).status).toBe(201)
  })
  test('a request to join that is sent twice is refused the second time', async () => {
    const token = await joinToken(registry, { maxUses: 5 })
    const [key, before, after] = [newKey('ed25519'), factsOf('join-7'), factsOf('join-7', { role: 'edge' })]
    const first = enrolment(token, key, before)
    expect((await registry.call('POST', '/api/v1/nodes', first)).status).toBe(201)
    expect((await enrol(registry, token, key, after)).status).toBe(201)
    // its facts would be put back to what they were
    const again = await registry.call('POST', '/api/v1/nodes', first)
    expect([again.status, again.code]).toEqual([401, 'node_unauthenticated'])
    const { nodes } = NodeList.parse(
      (await registry.call('GET', '/api/v1/nodes', { token: registry.admin })).json,
    )
    expect(nodes.find(({ facts }) => facts.name === 'join-7')?.facts.labels).toEqual({ role: 'edge' })
  })
})

describe('signed requests', () => {
  test('one that is sent twice is refused the second time', async () => {
    const { id, key } = await enrolledNode(registry, 'replayed')
    const path = `/api/v1/nodes/${id}/desired`
    const headers = signRequest({ method: 'GET', path, body: Buffer.alloc(0), keyId: id }, key)
    expect((await registry.call('GET', path, { headers })).status).toBe(200)
    const again = await registry.call('GET', path, { headers })
    expect([again.status, again.code]).toEqual([401, 'node_unauthenticated'])
  })
  test('one that is altered on its way is refused', async () => {
    const { id, key } = await enrolledNode(registry, 'altered')
    const path = `/api/v1/nodes/${id}/observed`
    const body = Buffer.from(JSON.stringify(emptyReport()))
    const headers = {
      ...signRequest({ method: 'PUT', path, body, keyId: id }, key),
      'content-type': 'application/json',
    }
    const other = Buffer.from(JSON.stringify({ ...emptyReport(), agent: 'other' }))
    const sends: [string, string, Buffer][] = [
      ['PUT', path, other],
      ['PUT', `${path}?x=1`, body],
    ]
    for (const [method, target, bytes] of sends) {
      const answer = await registry.call(method, target, { headers, body: bytes })
      expect([answer.status, answer.code]).toEqual([401, 'node_unauthenticated'])
    }
    expect((await registry.call('PUT', path, { headers, body })).status).toBe(204)
  })
  test.each([-120, 120])('one made %s s from now is refused', async (offset_s) => {
    const { id, key } = await enrolledNode(registry, `skewed${offset_s}`.replace('-', 'm'))
    const path = `/api/v1/nodes/${id}/desired`
    const when = new Date(Date.now() + offset_s * 1000)
    const headers = signRequest({ method: 'GET', path, body: Buffer.alloc(0), keyId: id }, key, when)
    const answer = await registry.call('GET', path, { headers })
    expect([answer.status, answer.code]).toEqual([401, 'node_unauthenticated'])
  })
  test('one by an unknown node is refused, whatever its id looks like', async () => {
    for (const id of ['00000000-0000-7000-8000-000000000000', 'not-a-uuid']) {
      const path = `/api/v1/nodes/${id}/desired`
      const headers = signRequest(
        { method: 'GET', path, body: Buffer.alloc(0), keyId: id },
        newKey('ed25519'),
      )
      const answer = await registry.call('GET', path, { headers })
      expect([answer.status, answer.code]).toEqual([401, 'node_unauthenticated'])
    }
  })
})

describe('reports', () => {
  test('the newest is shown, with the time it came', async () => {
    const node = await enrolledNode(registry, 'reporter')
    const path = `/api/v1/nodes/${node.id}/observed`
    const error = { code: 'verifier_refused', message: 'a NUL \0 in a log', remedy: 'none' }
    await node.call('PUT', path, { body: emptyReport() })
    await node.call('PUT', path, { body: { ...emptyReport(), errors: [error] } })
    const { nodes } = NodeList.parse(
      (await registry.call('GET', '/api/v1/nodes', { token: registry.admin })).json,
    )
    const shown = nodes.find(({ id }) => id === node.id)
    expect(shown?.observed?.errors).toEqual([error])
    expect(Math.abs(Date.parse(shown?.lastSeenAt ?? '') - Date.now())).toBeLessThan(10_000)
  })
  test('a node that only asks is seen, too', async () => {
    const node = await enrolledNode(registry, 'quiet')
    await node.desired()
    const { nodes } = NodeList.parse(
      (await registry.call('GET', '/api/v1/nodes', { token: registry.admin })).json,
    )
    expect(nodes.find(({ id }) => id === node.id)).toMatchObject({ lastSeenAt: expect.any(String) })
  })
  test('one of another form is refused', async () => {
    const node = await enrolledNode(registry, 'garbled')
    const answer = await node.call('PUT', `/api/v1/nodes/${node.id}/observed`, { body: { at: 'now' } })
    expect([answer.status, answer.code]).toEqual([400, 'invalid_request'])
  })
})

describe('the desired state', () => {
  const start = async (labels: Record<string, string>) => {
    const role = `r${Math.random().toString(36).slice(2, 10)}`
    return { role, node: await enrolledNode(registry, role, { role, ...labels }) }
  }
  test('holds the functions that select the node, their releases and the keys to check both', async () => {
    const { role, node } = await start({})
    const bystander = await enrolledNode(registry, `${role}-bystander`, { role: 'other' })
    const envelope = applyOrder(role, 1, operator, { selector: { role } })
    expect((await putFunction(registry, role, envelope)).status).toBe(200)
    const { desired } = await node.desired()
    expect(desired.functions).toEqual([{ name: role, revision: 1, envelope }])
    expect(desired.resolutions).toEqual([{ use: 'acme/limit@^1.0', version: '1.0.0' }])
    const [release] = desired.releases
    expect(release).toMatchObject({ program: 'acme/limit', version: '1.0.0' })
    expect(release?.files.map(({ name }) => name)).toEqual(['hookline.yaml', 'small.bpf.o'])
    expect(release?.bundle).not.toBe('')
    const keys = [operator, publisher].map(({ publicKey }) => publicKey.spki.toString('base64'))
    expect(desired.keys).toEqual(keys.sort())
    expect((await bystander.desired()).desired).toMatchObject({
      functions: [],
      releases: [],
      resolutions: [],
    })
  })
  test('keeps a function whose range fits nothing, without a resolution', async () => {
    const { role, node } = await start({})
    const use = 'acme/limit@^99'
    await putFunction(
      registry,
      role,
      applyOrder(role, 1, operator, { selector: { role }, instances: [{ use }] }),
    )
    const { desired } = await node.desired()
    expect(desired.functions).toHaveLength(1)
    expect(desired.resolutions).toEqual([])
  })
  test('holds a signed removal for the nodes that had the function', async () => {
    const { role, node } = await start({})
    const { node: bystander } = await start({})
    await putFunction(registry, role, applyOrder(role, 1, operator, { selector: { role } }))
    const envelope = removeOrder(role, 2, operator)
    expect((await deleteFunction(registry, role, envelope)).status).toBe(200)
    expect((await node.desired()).desired).toMatchObject({
      functions: [{ name: role, revision: 2, envelope }],
      releases: [],
    })
    expect((await bystander.desired()).desired.functions).toEqual([])
  })
  test('tells a node that a function no longer selects it', async () => {
    const { role, node } = await start({})
    await putFunction(registry, role, applyOrder(role, 1, operator, { selector: { role } }))
    const moved = applyOrder(role, 2, operator, { selector: { role: 'elsewhere' } })
    await putFunction(registry, role, moved)
    expect((await node.desired()).desired.functions).toEqual([{ name: role, revision: 2, envelope: moved }])
  })
  test('answers 304 while it is unchanged, at once without a wait', async () => {
    const { node } = await start({})
    const { etag } = await node.desired()
    expect(etag).toMatch(/^"[0-9a-f]{64}"$/)
    const answer = await node.poll(etag, 0)
    expect([answer.status, answer.headers.get('etag'), answer.bytes.length]).toEqual([304, etag, 0])
    expect((await node.poll(`W/${etag}`, 0)).status).toBe(304)
    expect((await node.poll('"other"', 1)).status).toBe(200)
  })
  test('answers 304 when nothing changed in the time waited', async () => {
    const { node } = await start({})
    const { etag } = await node.desired()
    const started = performance.now()
    expect((await node.poll(etag, 1)).status).toBe(304)
    expect(performance.now() - started).toBeGreaterThan(950)
  })
  test('refuses to wait longer than allowed', async () => {
    const { node } = await start({})
    expect((await node.poll('"x"', 31)).code).toBe('invalid_request')
  })
  test('wakes a waiting node when a function is applied, and only those it concerns', async () => {
    const { role, node } = await start({})
    const { node: bystander } = await start({})
    const { etag } = await node.desired()
    const waiting = node.poll(etag, 20).then((answer) => ({ answer, at: performance.now() }))
    const other = bystander.poll((await bystander.desired()).etag, 1)
    await new Promise((later) => setTimeout(later, 200))
    await putFunction(registry, role, applyOrder(role, 1, operator, { selector: { role } }))
    const applied = performance.now()
    const { answer, at } = await waiting
    expect(answer.status).toBe(200)
    // long before its question would have ended by itself
    expect(at - applied).toBeLessThan(10_000)
    expect((await other).status).toBe(304)
  })
  test('wakes a waiting node when a publish changes what its ranges resolve to', async () => {
    const { role, node } = await start({})
    await publishAt(registry, await buildRelease('acme/waking', '1.0.0', publisher))
    const instances = [{ use: 'acme/waking@^1.0' }]
    await putFunction(registry, role, applyOrder(role, 1, operator, { selector: { role }, instances }))
    const { etag } = await node.desired()
    const waiting = node.poll(etag, 20)
    await new Promise((later) => setTimeout(later, 200))
    await publishAt(registry, await buildRelease('acme/waking', '1.1.0-rc.1', publisher))
    await publishAt(registry, await buildRelease('acme/waking', '1.0.1', publisher))
    expect((await waiting).status).toBe(200)
    const { desired } = await node.desired()
    expect(desired.resolutions).toEqual([{ use: 'acme/waking@^1.0', version: '1.0.1' }])
    expect(desired.releases.map(({ version }) => version)).toEqual(['1.0.1'])
  })
  test('a node that goes away leaves nothing waiting', async () => {
    const { node } = await start({})
    const { etag } = await node.desired()
    const leaving = new AbortController()
    const waiting = node.poll(etag, 20, { signal: leaving.signal })
    await new Promise((later) => setTimeout(later, 100))
    leaving.abort()
    await expect(waiting).rejects.toThrow()
  })
})

test('a registry that closes ends its long polls at once', async () => {
  const short = await startRegistry()
  const node = await enrolledNode(short, 'waiting')
  const { etag } = await node.desired()
  const waiting = node.poll(etag, 30)
  await new Promise((later) => setTimeout(later, 200))
  const started = performance.now()
  await Promise.all([short.close(), expect(waiting).resolves.toMatchObject({ status: 304 })])
  expect(performance.now() - started).toBeLessThan(5000)
})

describe('what is taken back', () => {
  test('a node that is removed opens nothing any more, and may join again', async () => {
    const node = await enrolledNode(registry, 'leaving')
    const before = await node.call('GET', `/api/v1/nodes/${node.id}/desired?wait=0`)
    expect(before.status).toBe(200)
    const viewer = await registry.account('a-viewer', { fleet: 'viewer' })
    const path = `/api/v1/nodes/${node.id}`
    expect((await registry.call('DELETE', path, { token: viewer })).code).toBe('forbidden')
    expect((await registry.call('DELETE', path, { token: registry.admin })).status).toBe(204)
    expect((await registry.call('DELETE', path, { token: registry.admin })).code).toBe('not_found')
    const after = await node.call('GET', `/api/v1/nodes/${node.id}/desired?wait=0`)
    expect([after.status, after.code]).toEqual([401, 'node_unauthenticated'])
    expect((await enrolledNode(registry, 'leaving')).id).not.toBe(node.id)
  })

  test('an operator’s key signs no further orders; what is in force stays', async () => {
    const leaver = newKey('ed25519')
    await addKey(registry, '/api/v1/operators/keys', leaver)
    const apply = (revision: number) => {
      const envelope = applyOrder('taken-back', revision, leaver, { instances: [{ use: 'acme/limit@^1.0' }] })
      return registry.call('PUT', '/api/v1/functions/taken-back', {
        token: registry.admin,
        body: { envelope },
      })
    }
    expect((await apply(1)).status).toBe(200)
    const path = `/api/v1/operators/keys/${leaver.fingerprint}`
    expect((await registry.call('DELETE', path, { token: registry.admin })).status).toBe(204)
    expect((await apply(2)).code).toBe('operator_not_allowed')
    const view = await registry.call('GET', '/api/v1/functions/taken-back', { token: registry.admin })
    expect(view.json).toMatchObject({ revision: 1, state: 'applied' })
    await addKey(registry, '/api/v1/operators/keys', leaver)
    expect((await apply(2)).status).toBe(200)
  })
})

test('a request of a node that one registry saw is none for another on the same database', async () => {
  const second = await startBeside(registry)
  try {
    const node = await enrolledNode(registry, 'twice')
    const path = `/api/v1/nodes/${node.id}/desired?wait=0`
    // created before the second registry started, it would be refused for that
    await pause(1100)
    const request = { method: 'GET', path, body: Buffer.alloc(0), keyId: node.id }
    const headers = signRequest(request, node.key)
    const ask = async ({ url }: { url: string }): Promise<number> =>
      (await fetch(url + path, { headers })).status
    expect([await ask(registry), await ask(second), await ask(registry)]).toEqual([200, 401, 401])
  } finally {
    await second.close()
  }
})
