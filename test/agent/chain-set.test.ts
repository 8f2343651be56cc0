import { describe, expect, test } from 'vitest'
import { ChainSet, type ReadyFunction } from '../../src/agent/chain-set.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { asDomainError, DomainError } from '../../src/domain/errors.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import { packetsOf } from '../../src/domain/hook.ts'
import { Crash, FakeHost, keyOf, openHost, type Refusal } from './fake-chain-kernel.ts'

/** A function of one entry; `code` is what it does, `maps` are the layouts of its state. */
const ready = (code: string, { revision = 1, maps = ['m1'], name = 'edge' } = {}): ReadyFunction => {
  const bytes = Buffer.from(code)
  return {
    ...{ name, revision },
    spec: FunctionSpec.parse({
      ...{ kind: 'function', name, selector: {}, interfaces: ['eth*'] },
      instances: [{ use: 'acme/limit@^1.0' }],
    }),
    entries: [
      {
        record: {
          ...{ instance: 'limit', release: `acme/limit@1.0.0`, entry: 'xdp_limit' },
          ...{ object: sha256Digest(bytes), proceed: ['pass'] },
        },
        image: {
          ...{ entry: 'xdp_limit', bytes, license: 'GPL', gplCompatible: true, frags: false },
          ...{ proceed: ['pass'], variables: [] },
          maps: maps.map((map) => ({ name: map, stateKey: `${name}/limit/${map}` })),
        },
      },
    ],
  }
}
const OLD = ready('old', { maps: ['m1', 'gone'] })
const NEW = ready('new', { revision: 2, maps: ['m1', 'came'] })
const RUNS_OLD = { eth0: 'xdp_limit old', eth1: 'xdp_limit old' }
const RUNS_NEW = { eth0: 'xdp_limit new', eth1: 'xdp_limit new' }
const NOTHING = { eth0: undefined, eth1: undefined }

/** One life of an agent on a host. */
function agentOn(host: FakeHost, most?: number, refuse?: Refusal) {
  const { kernel, state, steps } = openHost(host, most, refuse)
  const chains = new ChainSet(kernel, state, '', () => new Date('2026-01-01T00:00:00Z'))
  /** What an agent does for one desired state; undefined wants nothing. */
  const pass = async (wanted: ReadyFunction | undefined): Promise<string[]> => {
    await chains.refresh()
    const places = host.interfaces.map((at) => ({ at, key: keyOf(at.ifindex) }))
    const changed = wanted === undefined ? [] : await chains.bring(wanted, places)
    if (wanted === undefined) for (const key of chains.running().keys()) await chains.detach(key)
    await chains.retire()
    return changed
  }
  return { chains, pass, steps }
}
async function hostRunning(wanted: ReadyFunction): Promise<FakeHost> {
  const host = new FakeHost()
  await agentOn(host).pass(wanted)
  return host
}
/** Packets per chain, over all its generations, as it is reported. */
async function totals(host: FakeHost): Promise<number[]> {
  const { chains } = agentOn(host)
  await chains.refresh()
  return chains.observe().map(({ entries }) => packetsOf(entries[0]?.total ?? expect.fail('no entry')))
}
async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'no error'
  } catch (error) {
    return asDomainError(error).code
  }
}

/** Nothing is left but what `wanted` needs. */
function expectTidy(host: FakeHost, wanted: ReadyFunction | undefined): void {
  const keys = wanted === undefined ? [] : host.interfaces.map(({ ifindex }) => keyOf(ifindex))
  const maps = wanted?.entries.flatMap(({ image }) => image.maps.map(({ stateKey }) => stateKey))
  expect([...host.chains.keys()].sort()).toEqual(keys)
  expect([...host.chains.values()].map(({ generations }) => generations.size)).toEqual(keys.map(() => 1))
  expect([...host.maps].sort()).toEqual((maps ?? []).sort())
  expect(
    host
      .remembered()
      .map(({ key }) => key)
      .sort(),
  ).toEqual(keys)
  for (const { key, generations } of host.remembered())
    expect(generations.map(({ generation }) => generation)).toEqual([
      ...(host.chains.get(key)?.generations.keys() ?? []),
    ])
}

describe('bringing a function to its hooks', () => {
  test('attaches it everywhere, once', async () => {
    const host = new FakeHost()
    const { pass, chains } = agentOn(host)
    expect(await pass(OLD)).toEqual(['1-2-xdp', '1-3-xdp'])
    expect(host.hooks()).toEqual(RUNS_OLD)
    expect(await pass(OLD)).toEqual([])
    expect(chains.running()).toEqual(
      new Map([
        ['1-2-xdp', 'edge'],
        ['1-3-xdp', 'edge'],
      ]),
    )
    expectTidy(host, OLD)
  })
  test('switches to a new generation on the same link, and retires the old one', async () => {
    const host = await hostRunning(OLD)
    const links = [...host.chains.values()].map(({ link }) => link?.id)
    expect(await agentOn(host).pass(NEW)).toEqual(['1-2-xdp', '1-3-xdp'])
    expect(host.hooks()).toEqual(RUNS_NEW)
    expect([...host.chains.values()].map(({ link }) => link?.id)).toEqual(links)
    expectTidy(host, NEW)
  })
  test('an order that changes nothing builds nothing, and its revision is remembered', async () => {
    const host = await hostRunning(OLD)
    const programs = JSON.stringify([...host.chains.values()].map(({ link }) => link))
    expect(await agentOn(host).pass({ ...OLD, revision: 9 })).toEqual([])
    expect(JSON.stringify([...host.chains.values()].map(({ link }) => link))).toBe(programs)
    expect(host.remembered().map(({ generations }) => generations[0]?.revision)).toEqual([9, 9])
  })
  test('a restarted agent adopts what runs', async () => {
    const host = await hostRunning(OLD)
    const programs = JSON.stringify([...host.chains.values()].map(({ link }) => link))
    expect(await agentOn(host).pass(OLD)).toEqual([])
    expect(JSON.stringify([...host.chains.values()].map(({ link }) => link))).toBe(programs)
  })
  test('an interface that went takes its pins along, and its memory', async () => {
    const host = await hostRunning(OLD)
    host.interfaces.pop()
    const chain = host.chains.get('1-3-xdp') ?? expect.fail('no chain')
    chain.link = undefined // the kernel says so by an ifindex of 0
    await agentOn(host).pass(OLD)
    expectTidy(host, OLD)
    expect(host.hooks()).toEqual({ eth0: 'xdp_limit old' })
  })
  test('an ended function leaves nothing behind', async () => {
    const host = await hostRunning(OLD)
    await agentOn(host).pass(undefined)
    expect(host.hooks()).toEqual(NOTHING)
    expectTidy(host, undefined)
  })
})

describe('a kernel that refuses', () => {
  const refuses =
    (call: string, key: string, code: 'verifier_refused' | 'kernel_refused'): Refusal =>
    (asked, at) =>
      asked === call && at === key ? new DomainError(code, 'no', { log: 'the whole log' }) : undefined

  test.each(['1-2-xdp', '1-3-xdp'])('to build on %s changes nothing anywhere', async (key) => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host, undefined, refuses('build', key, 'verifier_refused'))
    expect(await codeOf(agent.pass(NEW))).toBe('verifier_refused')
    expect(host.hooks()).toEqual(RUNS_OLD)
    for (const { generations } of host.chains.values()) expect(generations.size).toBe(1) // the other is taken back
    for (const { generations } of host.remembered()) expect(generations).toHaveLength(1)
    expect(await agent.pass(OLD)).toEqual([]) // and the old one is still known as what runs
    expectTidy(host, OLD)
  })
  test('says on which interface, and keeps the log', async () => {
    const { chains, pass } = agentOn(
      new FakeHost(),
      undefined,
      refuses('build', '1-3-xdp', 'verifier_refused'),
    )
    const error = await pass(OLD).catch(asDomainError)
    expect(error).toMatchObject({ message: 'on eth1: no', log: 'the whole log' })
    expect(chains.running()).toEqual(new Map())
  })
  test('a first build leaves nothing behind', async () => {
    const host = new FakeHost()
    const agent = agentOn(host, undefined, refuses('build', '1-3-xdp', 'verifier_refused'))
    expect(await codeOf(agent.pass(OLD))).toBe('verifier_refused')
    await agent.pass(undefined)
    expectTidy(host, undefined)
  })
  test('to switch one interface leaves the old chain on it; the other is switched', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host, undefined, refuses('activate', '1-3-xdp', 'kernel_refused'))
    expect(await codeOf(agent.pass(NEW))).toBe('kernel_refused')
    expect(host.hooks()).toEqual({ eth0: 'xdp_limit new', eth1: 'xdp_limit old' })
    expect(await agentOn(host).pass(NEW)).toEqual(['1-3-xdp'])
    expect(host.hooks()).toEqual(RUNS_NEW)
    expectTidy(host, NEW)
  })
  test('and a state directory that cannot be written lets nothing run that is not remembered', async () => {
    const host = await hostRunning(OLD)
    const { kernel, state } = openHost(host)
    const full = new DomainError('file_unwritable', 'no space')
    const chains = new ChainSet(
      kernel,
      { ...state, saveChain: () => Promise.reject(full) },
      '',
      () => new Date(),
    )
    await chains.refresh()
    const places = host.interfaces.map((at) => ({ at, key: keyOf(at.ifindex) }))
    expect(await codeOf(chains.bring(NEW, places))).toBe('file_unwritable')
    expect(host.hooks()).toEqual(RUNS_OLD)
    await agentOn(host).pass(OLD)
    expectTidy(host, OLD)
  })
})

describe('a process that dies at any step', () => {
  /** Steps that one undisturbed pass takes. */
  async function stepsOf(
    before: ReadyFunction | undefined,
    wanted: ReadyFunction | undefined,
  ): Promise<number> {
    const host = before === undefined ? new FakeHost() : await hostRunning(before)
    const agent = agentOn(host)
    await agent.pass(wanted)
    return agent.steps()
  }
  const isCrash = (error: unknown): boolean =>
    error instanceof Crash || (error instanceof Error && isCrash(error.cause))
  async function dieAfter(host: FakeHost, most: number, wanted: ReadyFunction | undefined): Promise<void> {
    await agentOn(host, most)
      .pass(wanted)
      .catch((error: unknown) => expect(error).toSatisfy(isCrash))
  }

  test.each([
    ['of an upgrade', OLD, NEW, RUNS_OLD, RUNS_NEW],
    ['of a first attach', undefined, NEW, NOTHING, RUNS_NEW],
    ['of an end', OLD, undefined, RUNS_OLD, NOTHING],
  ])(
    '%s leaves old or new on each hook, and the next one converges without a leak',
    async (_, before, wanted, old, done) => {
      const steps = await stepsOf(before, wanted)
      expect(steps).toBeGreaterThan(3)
      for (let first = 0; first <= steps; first++)
        for (let second = 0; second <= steps; second++) {
          const host = before === undefined ? new FakeHost() : await hostRunning(before)
          host.traffic(7)
          for (const limit of [first, second]) {
            await dieAfter(host, limit, wanted)
            for (const [name, runs] of Object.entries(host.hooks()))
              expect([old[name as 'eth0'], done[name as 'eth0']]).toContain(runs)
          }
          await agentOn(host).pass(wanted)
          expect(host.hooks()).toEqual(done)
          expectTidy(host, wanted)
          if (before !== undefined && wanted !== undefined) expect(await totals(host)).toEqual([7, 7])
        }
    },
  )

  test('of a change that is taken back leaves no trace of it', async () => {
    const steps = await stepsOf(OLD, NEW)
    for (let most = 0; most <= steps; most++) {
      const host = await hostRunning(OLD)
      host.traffic(7)
      await dieAfter(host, most, NEW)
      host.traffic(3)
      await agentOn(host).pass(OLD)
      expect(host.hooks()).toEqual(RUNS_OLD)
      expectTidy(host, OLD)
      expect(await totals(host)).toEqual([10, 10])
    }
  })

  test('while it takes back what the kernel refused leaves no trace either', async () => {
    const refuse: Refusal = (call, key) =>
      call === 'build' && key === '1-3-xdp' ? new DomainError('verifier_refused', 'no') : undefined
    for (let most = 0; most <= 12; most++) {
      const host = await hostRunning(OLD)
      expect(await codeOf(agentOn(host, most, refuse).pass(NEW))).not.toBe('no error')
      expect(host.hooks()).toEqual(RUNS_OLD)
      await agentOn(host).pass(OLD)
      expectTidy(host, OLD)
    }
  })
})

describe('packets', () => {
  test('are counted over all generations of an instance', async () => {
    const host = await hostRunning(OLD)
    host.traffic(5)
    await agentOn(host).pass(NEW)
    host.traffic(2)
    expect(await totals(host)).toEqual([7, 7])
    await agentOn(host).pass(NEW)
    expect(await totals(host)).toEqual([7, 7])
  })
  test('of the running generation are told apart', async () => {
    const host = await hostRunning(OLD)
    host.traffic(5)
    await agentOn(host).pass(NEW)
    host.traffic(2)
    const { chains } = agentOn(host)
    await chains.refresh()
    expect(chains.observe().map(({ entries }) => entries[0]?.packets.pass)).toEqual([2, 2])
  })
  test('of another function are not its own', async () => {
    const host = await hostRunning(OLD)
    host.traffic(5)
    await agentOn(host).pass(ready('other', { name: 'core' }))
    host.traffic(1)
    expect(await totals(host)).toEqual([1, 1])
  })
})

describe('a chain that nothing is remembered of', () => {
  test('is named, left alone, and no map is removed: it may use any', async () => {
    const host = await hostRunning(OLD)
    host.records.delete('1-3-xdp')
    host.maps.add('someone/elses/map')
    const { chains } = agentOn(host)
    await chains.refresh()
    expect(chains.unknown()).toEqual(['1-3-xdp'])
    expect(chains.running().get('1-3-xdp')).toBeUndefined()
    expect(chains.observe().map(({ interface: name }) => name)).toEqual(['eth0'])
    await chains.retire()
    expect(host.hooks()).toEqual(RUNS_OLD)
    expect(host.maps.has('someone/elses/map')).toBe(true)
  })
  test('is the only reason to keep a map that nobody uses', async () => {
    const host = await hostRunning(OLD)
    host.maps.add('someone/elses/map')
    const { chains } = agentOn(host)
    await chains.refresh()
    expect(chains.unknown()).toEqual([])
    await chains.retire()
    expect(host.maps.has('someone/elses/map')).toBe(false)
  })
})
