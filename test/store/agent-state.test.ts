import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { generateKeyPair, sha256Digest } from '../../src/attest/keys.ts'
import { asDomainError } from '../../src/domain/errors.ts'
import type { ChainRecord } from '../../src/domain/generation.ts'
import { noPackets } from '../../src/domain/hook.ts'
import type { AcceptedOrder, Desired, Identity } from '../../src/domain/node.ts'
import { openAgentState, readAgentState } from '../../src/store/agent-state.ts'

let dir = ''
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hookline-state-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const { privateKey } = generateKeyPair('ed25519')
const IDENTITY: Identity = {
  ...{ registry: 'http://127.0.0.1:7070', id: 'n1', name: 'edge-1', labels: { role: 'edge' }, privateKey },
}
const OPERATOR = Buffer.alloc(44, 1).toString('base64')
const order = (name: string, revision = 1): AcceptedOrder => ({
  ...{ name, revision, envelope: '{}', operatorKey: OPERATOR },
})
const BYTES = Buffer.from('an object')
const DIGEST = sha256Digest(BYTES)
const DESIRED: Desired = {
  ...{ functions: [], resolutions: [{ use: 'acme/limit@^1.0', version: '1.0.0' }], releases: [], keys: [] },
  revocations: [],
}
const chain = (key: string, passed = 0): ChainRecord => ({
  ...{ key, netns: 'edge', interface: 'eth0', ifindex: 2, hook: 'xdp', generations: [] },
  totals: { 'edge/limit/xdp_limit': { ...noPackets('xdp'), pass: passed } },
})
const mode = (...path: string[]): string => (statSync(join(dir, ...path)).mode & 0o777).toString(8)

async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'no error'
  } catch (error) {
    return asDomainError(error).code
  }
}

test('a new directory knows nothing', async () => {
  const state = await openAgentState(dir)
  expect([await state.identity(), await state.desired(), await state.blob(DIGEST)]).toEqual([
    ...[undefined, undefined, undefined],
  ])
  expect([await state.acceptedOrders(), await state.chains()]).toEqual([[], []])
})

test('what was saved is there for the next process', async () => {
  const first = await openAgentState(dir)
  await first.saveIdentity(IDENTITY)
  await first.saveDesired(DESIRED)
  await first.saveAcceptedOrder(order('edge'))
  await first.saveAcceptedOrder(order('core'))
  await first.saveChain(chain('1-2-xdp', 3))
  await first.saveBlob(DIGEST, BYTES)
  const next = await openAgentState(dir)
  expect(await next.identity()).toEqual(IDENTITY)
  expect(await next.desired()).toEqual(DESIRED)
  expect(await next.acceptedOrders()).toEqual([order('core'), order('edge')])
  expect(await next.chains()).toEqual([chain('1-2-xdp', 3)])
  expect(await next.blob(DIGEST)).toEqual(BYTES)
})

test('the newest of each is kept, and a chain can be forgotten, twice even', async () => {
  const state = await openAgentState(dir)
  await state.saveAcceptedOrder(order('edge', 1))
  await state.saveAcceptedOrder(order('edge', 2))
  await state.saveChain(chain('1-2-xdp', 3))
  await state.saveChain(chain('1-2-xdp', 9))
  await state.saveChain(chain('1-3-xdp'))
  await state.removeChain('1-3-xdp')
  await state.removeChain('1-3-xdp')
  expect(await state.acceptedOrders()).toEqual([order('edge', 2)])
  expect(await state.chains()).toEqual([chain('1-2-xdp', 9)])
})

test('cached files that nobody wants are removed, and only those', async () => {
  const state = await openAgentState(dir)
  const [other, otherDigest] = [Buffer.from('another'), sha256Digest(Buffer.from('another'))]
  await state.saveBlob(DIGEST, BYTES)
  await state.saveBlob(otherDigest, other)
  writeFileSync(join(dir, 'objects', `${DIGEST.slice(7)}.new`), 'half')
  await state.collectBlobs(new Set([DIGEST]))
  expect([await state.blob(DIGEST), await state.blob(otherDigest)]).toEqual([BYTES, undefined])
  expect(readdirSync(join(dir, 'objects'))).toEqual([DIGEST.slice(7)])
})

describe('a process that died while it wrote', () => {
  test('leaves the old file whole; what it left aside is not read', async () => {
    const state = await openAgentState(dir)
    await state.saveIdentity(IDENTITY)
    await state.saveAcceptedOrder(order('edge', 1))
    await state.saveChain(chain('1-2-xdp', 3))
    for (const path of ['identity.json', 'orders/edge.json', 'chains/1-2-xdp.json', 'chains/1-9-xdp.json'])
      writeFileSync(join(dir, `${path}.new`), '{"half":')
    const next = await openAgentState(dir)
    expect(await next.identity()).toEqual(IDENTITY)
    expect(await next.acceptedOrders()).toEqual([order('edge', 1)])
    expect(await next.chains()).toEqual([chain('1-2-xdp', 3)])
  })
  test('leaves at most one file aside, which the next write replaces and the end of a chain removes', async () => {
    const state = await openAgentState(dir)
    const paths = ['identity.json', 'orders/edge.json', 'chains/1-2-xdp.json', 'chains/1-3-xdp.json']
    for (const path of paths) writeFileSync(join(dir, `${path}.new`), '{"half":')
    await state.saveIdentity(IDENTITY)
    await state.saveAcceptedOrder(order('edge', 1))
    await state.saveChain(chain('1-2-xdp', 3))
    await state.removeChain('1-3-xdp')
    const left = readdirSync(dir, { recursive: true, encoding: 'utf8' })
    expect(left.filter((path) => path.endsWith('.new'))).toEqual([])
    expect(await state.chains()).toEqual([chain('1-2-xdp', 3)])
  })
  test('never shows a reader half a file', async () => {
    const state = await openAgentState(dir)
    await state.saveChain(chain('1-2-xdp', 0))
    let [writing, reads] = [true, 0]
    const writes = (async () => {
      for (let passed = 1; passed <= 40; passed++) await state.saveChain(chain('1-2-xdp', passed))
      writing = false
    })()
    while (writing) {
      expect(await state.chains()).toHaveLength(1) // throws on a half one
      reads++
    }
    await writes
    expect(reads).toBeGreaterThan(3)
    expect(readdirSync(join(dir, 'chains'))).toEqual(['1-2-xdp.json'])
  })
})

describe('who may read', () => {
  test('keys, orders and objects: root alone; the report: everyone', async () => {
    const state = await openAgentState(dir)
    await state.saveIdentity(IDENTITY)
    await state.saveDesired(DESIRED)
    await state.saveAcceptedOrder(order('edge'))
    await state.saveChain(chain('1-2-xdp'))
    await state.saveBlob(DIGEST, BYTES)
    await state.saveStatus({ at: '2026-01-01T00:00:00Z', agent: '0', functions: [], chains: [], errors: [] })
    const log = await state.saveVerifierLog('edge', 'line\n')
    expect(readFileSync(log, 'utf8')).toBe('line\n')
    const secret = ['identity.json', 'desired.json', 'orders/edge.json', 'chains/1-2-xdp.json']
    for (const path of [...secret, `objects/${DIGEST.slice(7)}`, 'logs/edge.log'])
      expect([path, mode(path)]).toEqual([path, '600'])
    for (const folder of ['orders', 'chains', 'objects', 'logs'])
      expect([folder, mode(folder)]).toEqual([folder, '700'])
    expect(mode('status.json')).toBe('644')
  })
})

describe('a damaged file is named', () => {
  const damaged = async (path: string, text: string) => {
    const state = await openAgentState(dir)
    writeFileSync(join(dir, path), text)
    return state
  }
  test.each([
    ['cut short', '{"registry":"http'],
    ['empty', ''],
    ['of another shape', '{"name":"edge-1"}'],
    ['with a key twice', JSON.stringify(IDENTITY).replace('{', '{"id":"n2",')],
  ])('identity.json %s', async (_, text) => {
    const state = await damaged('identity.json', text)
    const error = await state.identity().catch(asDomainError)
    expect(error).toMatchObject({ code: 'file_unreadable' })
    expect(error).toMatchObject({ message: expect.stringContaining(join(dir, 'identity.json')) })
  })
  test('an order, a chain, the desired state', async () => {
    const state = await damaged('orders/edge.json', '{')
    expect(await codeOf(state.acceptedOrders())).toBe('file_unreadable')
    expect(await codeOf((await damaged('chains/1-2-xdp.json', '[]')).chains())).toBe('file_unreadable')
    expect(await codeOf((await damaged('desired.json', 'null')).desired())).toBe('file_unreadable')
  })
  test('a whole one is read', async () => {
    const state = await damaged('identity.json', JSON.stringify(IDENTITY))
    expect(await state.identity()).toEqual(IDENTITY)
  })
})

test('a directory that cannot be made is refused', async () => {
  writeFileSync(join(dir, 'file'), '')
  expect(await codeOf(openAgentState(join(dir, 'file', 'state')))).toBe('file_unwritable')
})

describe('when a release was seen first', () => {
  const [noon, later] = [new Date('2026-05-01T12:00:00.000Z'), new Date('2026-05-02T12:00:00.000Z')]
  test('is kept over a restart, and is not younger when it is seen again', async () => {
    expect(await (await openAgentState(dir)).releaseSeen(DIGEST, noon)).toEqual(noon)
    expect(await (await openAgentState(dir)).releaseSeen(DIGEST, later)).toEqual(noon)
  })
  test('is of each content by itself', async () => {
    const state = await openAgentState(dir)
    await state.releaseSeen(DIGEST, noon)
    expect(await state.releaseSeen(sha256Digest(Buffer.from('other')), later)).toEqual(later)
  })
  test('is now where the clock was ahead then: it would else never be old enough', async () => {
    const state = await openAgentState(dir)
    await state.releaseSeen(DIGEST, later)
    expect(await state.releaseSeen(DIGEST, noon)).toEqual(noon)
    expect(await state.releaseSeen(DIGEST, later)).toEqual(noon)
  })
  test('is told to who only looks, who changes nothing', async () => {
    await openAgentState(dir)
    const before = readdirSync(dir).sort()
    expect(await readAgentState(dir).releaseSeen(DIGEST, noon)).toEqual(noon)
    expect(readdirSync(dir).sort()).toEqual(before)
  })
  test('is not guessed from a file that cannot be read', async () => {
    const state = await openAgentState(dir)
    writeFileSync(join(dir, 'seen.json'), '{')
    expect(await codeOf(state.releaseSeen(DIGEST, noon))).toBe('file_unreadable')
  })
})
