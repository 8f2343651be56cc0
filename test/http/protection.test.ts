import { get } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { signRequest } from '../../src/attest/http-signature.ts'
import { network, PROTECTION, type Rates } from '../../src/http/protection.ts'
import { type EnrolledNode, enrolledNode } from './enrolled-node.ts'
import { newKey } from './release-builder.ts'
import { type Answer, type RunningRegistry, startRegistry } from './running-registry.ts'

let registry: RunningRegistry
afterEach(() => registry.close())
const withRates = async (rates: Partial<Rates>): Promise<void> => {
  const all = { anonymous: 1e6, reads: 1e6, writes: 1e6, publishes: 1e6, nodes: 1e6, refusals: 1e6 }
  registry = await startRegistry({ ...PROTECTION, rates: { ...all, ...rates } })
}
const often = async (count: number, call: () => Promise<Answer>): Promise<number[]> => {
  const statuses: number[] = []
  for (let n = 0; n < count; n++) statuses.push((await call()).status)
  return statuses
}

describe('rates', () => {
  test('of an address without credentials; who has some goes on', async () => {
    await withRates({ anonymous: 3 })
    const call = () => registry.call('GET', '/api/v1/programs')
    expect(await often(4, call)).toEqual([200, 200, 200, 429])
    const refused = await call()
    expect([refused.code, refused.headers.get('ratelimit-limit')]).toEqual(['rate_limited', '3'])
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await registry.call('GET', '/api/v1/programs', { token: registry.admin })).status).toBe(200)
  })
  test('of an account, over all its tokens, reads and writes apart', async () => {
    await withRates({ reads: 3 })
    const token = await registry.account('ada')
    const other = await registry.token({ scopes: ['read', 'manage'] }, 'ada')
    expect(await often(2, () => registry.call('GET', '/api/v1/whoami', { token }))).toEqual([200, 200])
    expect(await often(2, () => registry.call('GET', '/api/v1/whoami', { token: other }))).toEqual([200, 429])
    const write = await registry.call('POST', '/api/v1/tokens', { token: other, body: { scopes: ['read'] } })
    expect(write.status).toBe(201)
  })
  test('of refused credentials; good ones of the same address are taken still', async () => {
    await withRates({ refusals: 2 })
    const guess = () => registry.call('GET', '/api/v1/whoami', { token: `hlt_${'A'.repeat(43)}` })
    expect(await often(4, guess)).toEqual([401, 401, 429, 429])
    expect((await registry.call('GET', '/api/v1/whoami', { token: registry.admin })).status).toBe(200)
  })
  test('of a node', async () => {
    await withRates({ nodes: 2 })
    const node = await enrolledNode(registry, 'node-1')
    const ask = () => node.call('GET', `/api/v1/nodes/${node.id}/desired`)
    expect(await often(3, ask)).toEqual([200, 200, 429])
  })
  /** The header of a request that claims to come from a node, signed by another key. */
  const claimed = ({ id }: EnrolledNode): Record<string, string> =>
    signRequest(
      { method: 'GET', path: '/api/v1/programs', body: Buffer.alloc(0), keyId: id },
      newKey('ed25519'),
    )
  test('of a node are not used up by who only claims to be it, elsewhere', async () => {
    await withRates({ nodes: 2 })
    const node = await enrolledNode(registry, 'node-1')
    const claim = () =>
      new Promise<number | undefined>((resolve, reject) => {
        const options = { headers: claimed(node), localAddress: '127.0.0.2' }
        get(`${registry.url}/api/v1/programs`, options, (answer) => {
          answer.resume()
          resolve(answer.statusCode)
        }).on('error', reject)
      })
    expect([await claim(), await claim(), await claim()]).toEqual([401, 401, 429])
    const ask = () => node.call('GET', `/api/v1/nodes/${node.id}/desired`)
    expect(await often(3, ask)).toEqual([200, 200, 429])
  })
  test('of refused credentials count signatures that do not hold', async () => {
    await withRates({ refusals: 2 })
    const node = await enrolledNode(registry, 'node-1')
    const claim = () => registry.call('GET', '/api/v1/programs', { headers: claimed(node) })
    expect(await often(3, claim)).toEqual([401, 401, 429])
    expect((await node.call('GET', `/api/v1/nodes/${node.id}/desired`)).status).toBe(200)
  })
  test.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:DB8:1:2::9', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['::1', '0:0:0:0'],
  ])('%s counts as %s', async (address, as) => {
    await withRates({})
    expect(network(address)).toBe(as)
  })
})

describe('headers', () => {
  test('let no browser run or frame anything, and nobody keep what is not for everybody', async () => {
    await withRates({})
    const answer = await registry.call('GET', '/api/v1/programs')
    expect(answer.headers.get('content-security-policy')).toBe("default-src 'none';frame-ancestors 'none'")
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff')
    expect(answer.headers.get('referrer-policy')).toBe('no-referrer')
    const mine = await registry.call('GET', '/api/v1/whoami', { token: registry.admin })
    expect(mine.headers.get('cache-control')).toBe('private, no-store')
    const problem = await registry.call('GET', '/api/v1/nothing')
    expect(problem.headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('a process that is late', () => {
  test('sends away whoever brings no credentials, and nobody else', async () => {
    registry = await startRegistry({ ...PROTECTION, loop_delay_ms: 40 })
    const node = await enrolledNode(registry, 'node-1')
    /** Asks while the process does nothing but to keep itself busy, until it has noticed that. */
    const whileBusy = async (call: () => Promise<Answer>): Promise<Answer[]> => {
      const answers: Answer[] = []
      for (let n = 0; n < 10; n++) {
        const until = performance.now() + 300
        while (performance.now() < until);
        answers.push(await call())
      }
      return answers
    }
    const anonymous = await whileBusy(() => registry.call('GET', '/api/v1/programs'))
    const away = anonymous.find(({ status }) => status === 503)
    expect([away?.code, away?.headers.get('retry-after')]).toEqual(['overloaded', '5'])
    const known = await whileBusy(() => registry.call('GET', '/api/v1/programs', { token: registry.admin }))
    expect(new Set(known.map(({ status }) => status))).toEqual(new Set([200]))
    const desired = await whileBusy(() => node.call('GET', `/api/v1/nodes/${node.id}/desired`))
    expect(new Set(desired.map(({ status }) => status))).toEqual(new Set([200]))
    await expect
      .poll(async () => (await registry.call('GET', '/api/v1/programs')).status, { timeout: 10_000 })
      .toBe(200)
  }, 30_000)
})

test('a client that sends its request a byte at a time holds no other up', async () => {
  await withRates({})
  const { hostname, port } = new URL(registry.url)
  const slow = connect(Number(port), hostname)
  slow.on('error', () => {})
  slow.write('GET /api/v1/programs HTTP/1.1\r\nHost: x\r\nX-Slow: ')
  const drip = setInterval(() => slow.write('a'), 20)
  expect(await often(20, () => registry.call('GET', '/api/v1/programs'))).toEqual(Array(20).fill(200))
  clearInterval(drip)
  slow.destroy()
})
