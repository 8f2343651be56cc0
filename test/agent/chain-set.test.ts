import { describe, expect, test } from 'vitest'
import { ChainSet, type IsRevoked } from '../../src/agent/chain-set.ts'
import type { ReadyEntry } from '../../src/agent/instance.ts'
import { BuildRefused, type WantedChain } from '../../src/agent/wanted-chain.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { asDomainError, DomainError } from '../../src/domain/errors.ts'
import type { FunctionPart } from '../../src/domain/generation.ts'
import { packetsOf } from '../../src/domain/hook.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { ObservedChain } from '../../src/domain/node.ts'
import { Crash, FakeHost, keyOf, openHost, type Refusal } from '../../tools/lab/fake-chain-kernel.ts'

/** What is to run on every interface. */
interface Wanted {
  readonly functions: readonly FunctionPart[]
  readonly entries: readonly ReadyEntry[]
}

/** A function of one entry; `code` is what it does, `maps` are the layouts of its state. */
const ready = (code: string, { revision = 1, maps = ['m1'], name = 'edge' } = {}): Wanted => {
  const bytes = Buffer.from(code)
  const kept = maps.map((map) => ({ name: map, stateKey: `${name}/limit/${map}` }))
  return {
    functions: [{ name, revision }],
    entries: [
      {
        record: {
          ...{ function: name, instance: 'limit', release: `acme/limit@1.0.0`, entry: 'xdp_limit' },
          ...{ object: sha256Digest(bytes), proceed: ['pass'] },
          spec: sha256Digest(Buffer.from(JSON.stringify([name, code, maps]))),
        },
        image: {
          ...{ entry: 'xdp_limit', hook: 'xdp', bytes, license: 'GPL', gplCompatible: true, frags: false },
          ...{
            proceed: ['pass'],
            onMissing: 'pass',
            variables: [],
            functions: [],
            arrayPrograms: [],
            tailCalls: 0,
            kernelFunctions: [],
          },
          ...{ btf: undefined, maps: kept },
        },
      },
    ],
  }
}
/** Functions on one hook, in order. */
const merged = (...parts: Wanted[]): Wanted => ({
  functions: parts.flatMap(({ functions }) => functions),
  entries: parts.flatMap(({ entries }) => entries),
})
const renewed = (wanted: Wanted, revision: number): Wanted => ({
  ...wanted,
  functions: wanted.functions.map(({ name }) => ({ name, revision })),
})
const OLD = ready('old', { maps: ['m1', 'gone'] })
const NEW = ready('new', { revision: 2, maps: ['m1', 'came'] })
const NEXT = ready('next', { revision: 3, maps: ['m1', 'later'] })
const RUNS_OLD = { eth0: 'xdp_limit old', eth1: 'xdp_limit old' }
const RUNS_NEW = { eth0: 'xdp_limit new', eth1: 'xdp_limit new' }
const NOTHING = { eth0: undefined, eth1: undefined }

const chainsOf = (host: FakeHost, { functions, entries }: Wanted): WantedChain[] =>
  host.interfaces.map((at) => ({
    site: { key: keyOf(at.ifindex), hook: 'xdp', at, allowGeneric: false },
    functions,
    entries,
  }))

/** One life of an agent on a host. */
function agentOn(host: FakeHost, most?: number, refuse?: Refusal, isRevoked?: IsRevoked) {
  const { kernel, state, steps } = openHost(host, most, refuse)
  const chains = new ChainSet(kernel, state, '', () => new Date('2026-01-01T00:00:00Z'), isRevoked)
  /** Changes what is to be changed, without retiring what is left over; throws what the kernel refuses. */
  const bring = async (wanted: Wanted, unconfirmed = false): Promise<string[]> => {
    await chains.refresh()
    const { changed, failures } = await chains.bring(chainsOf(host, wanted), unconfirmed)
    for (const { error } of failures) throw error
    return changed.map(({ site }) => site.key)
  }
  /** What an agent does for one desired state; undefined wants nothing. */
  const pass = async (wanted: Wanted | undefined, unconfirmed = false): Promise<string[]> => {
    await chains.refresh()
    const changed = wanted === undefined ? [] : await bring(wanted, unconfirmed)
    if (wanted === undefined) for (const key of chains.running().keys()) await chains.detach(key)
    await chains.retire()
    return changed
  }
  const confirm = async (): Promise<void> => {
    await chains.refresh()
    await chains.confirm()
  }
  const takeBack = async () => {
    await chains.refresh()
    return chains.takeBack()
  }
  return { chains, bring, pass, confirm, takeBack, steps }
}
async function hostRunning(...wanted: Wanted[]): Promise<FakeHost> {
  const host = new FakeHost()
  for (const each of wanted) await agentOn(host).pass(each)
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
    return asDomainError(error instanceof BuildRefused ? error.error : error).code
  }
}

/**
 * Nothing is left but what `wanted` needs and, where that was replaced, what ran before it: pins, maps and memory agree.
 * Each of `kept` ran just before on every chain.
 */
function expectTidy(host: FakeHost, wanted: Wanted | undefined, ...kept: Wanted[]): void {
  const keys = wanted === undefined ? [] : host.interfaces.map(({ ifindex }) => keyOf(ifindex))
  expect([...host.chains.keys()].sort()).toEqual(keys)
  const records = host.remembered()
  expect(records.map(({ key }) => key).sort()).toEqual(keys)
  const stateKeys = new Set<string>()
  for (const { key, generations, previous } of records) {
    const { link, generations: pinned = new Map() } = host.chains.get(key) ?? expect.fail('no chain')
    expect(generations.map(({ generation }) => generation)).toEqual([...pinned.keys()])
    for (const [number, { programId }] of pinned)
      expect(programId === link?.programId || number === previous).toBe(true)
    for (const generation of generations) for (const one of generation.stateKeys) stateKeys.add(one)
    const running = [...pinned.values()].find(({ programId }) => programId === link?.programId)
    expect(running?.runs).toBe(textOf(wanted ?? expect.fail('a chain is left')))
    if (kept.length > 0)
      expect(pinned.get(previous ?? 0)?.runs).toBe(textOf(kept[0] ?? expect.fail('none kept')))
  }
  expect([...host.maps].sort()).toEqual([...stateKeys].sort())
  const needed = [wanted, ...kept].flatMap((one) => one?.entries ?? [])
  const maps = needed.flatMap(({ image }) => image.maps.map(({ stateKey }) => stateKey))
  expect([...host.maps]).toEqual(expect.arrayContaining(maps))
}
/** What the fake kernel says that packets meet. */
const textOf = ({ entries }: Wanted): string =>
  entries.map(({ image: { entry, bytes } }) => `${entry} ${bytes}`).join(' > ')
/** What is remembered of each chain beside its generations. */
const waysBack = (host: FakeHost) =>
  host.remembered().map(({ previous, unconfirmed }) => ({ previous, unconfirmed }))

describe('bringing a function to its hooks', () => {
  test('attaches it everywhere, once', async () => {
    const host = new FakeHost()
    const { pass, chains } = agentOn(host)
    expect(await pass(OLD)).toEqual(['1-2-xdp', '1-3-xdp'])
    expect(host.hooks()).toEqual(RUNS_OLD)
    expect(await pass(OLD)).toEqual([])
    expect(chains.running()).toEqual(
      new Map([
        ['1-2-xdp', ['edge']],
        ['1-3-xdp', ['edge']],
      ]),
    )
    expectTidy(host, OLD)
  })
  test('switches to a new generation on the same link, and keeps the old one', async () => {
    const host = await hostRunning(OLD)
    const links = [...host.chains.values()].map(({ link }) => link?.linkId)
    expect(await agentOn(host).pass(NEW)).toEqual(['1-2-xdp', '1-3-xdp'])
    expect(host.hooks()).toEqual(RUNS_NEW)
    expect([...host.chains.values()].map(({ link }) => link?.linkId)).toEqual(links)
    expectTidy(host, NEW, OLD)
  })
  test('an order that changes nothing builds nothing, and its revision is remembered', async () => {
    const host = await hostRunning(OLD)
    const programs = JSON.stringify([...host.chains.values()].map(({ link }) => link))
    expect(await agentOn(host).pass(renewed(OLD, 9))).toEqual([])
    expect(JSON.stringify([...host.chains.values()].map(({ link }) => link))).toBe(programs)
    expect(host.remembered().map(({ generations }) => generations[0]?.functions)).toEqual([
      [{ name: 'edge', revision: 9 }],
      [{ name: 'edge', revision: 9 }],
    ])
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
      asked === call && at === key
        ? new DomainError(code, 'no', { log: 'the whole log', entry: 0 })
        : undefined

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
    const refused: unknown = await pass(OLD).catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(BuildRefused)
    expect(refused).toMatchObject({
      chain: { site: { key: '1-3-xdp' } },
      error: { code: 'verifier_refused', message: 'on eth1 (xdp): no', log: 'the whole log', entry: 0 },
    })
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
    expectTidy(host, NEW, OLD)
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
    expect(await codeOf(chains.bring(chainsOf(host, NEW), false))).toBe('file_unwritable')
    expect(host.hooks()).toEqual(RUNS_OLD)
    await agentOn(host).pass(OLD)
    expectTidy(host, OLD)
  })
})

describe('a process that dies at any step', () => {
  /** Steps that one undisturbed pass takes. */
  async function stepsOf(before: Wanted | undefined, wanted: Wanted | undefined): Promise<number> {
    const host = before === undefined ? new FakeHost() : await hostRunning(before)
    const agent = agentOn(host)
    await agent.pass(wanted)
    return agent.steps()
  }
  const isCrash = (error: unknown): boolean =>
    error instanceof Crash || (error instanceof Error && isCrash(error.cause))
  async function dieAfter(host: FakeHost, most: number, wanted: Wanted | undefined): Promise<void> {
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

describe('what ran before', () => {
  const buildsOf = async (host: FakeHost, work: () => Promise<unknown>): Promise<number> => {
    const before = host.builds.length
    await work()
    return host.builds.length - before
  }
  test('is gone back to at once: nothing is built, and the way forward is kept too', async () => {
    const host = await hostRunning(OLD, NEW)
    const agent = agentOn(host)
    expect(await buildsOf(host, () => agent.pass(OLD))).toBe(0)
    expect(host.hooks()).toEqual(RUNS_OLD)
    expectTidy(host, OLD, NEW)
    expect(await buildsOf(host, () => agent.pass(NEW))).toBe(0)
    expect(host.hooks()).toEqual(RUNS_NEW)
    expectTidy(host, NEW, OLD)
  })
  test('is gone back to under a newer order, which is remembered', async () => {
    const host = await hostRunning(OLD, NEW)
    await agentOn(host).pass(renewed(OLD, 7))
    const { chains } = agentOn(host)
    await chains.refresh()
    expect(chains.observe().map(({ functions }) => functions)).toEqual([
      [{ name: 'edge', revision: 7 }],
      [{ name: 'edge', revision: 7 }],
    ])
  })
  test('is one generation: what ran before that is removed, and built anew when it is wanted', async () => {
    const host = await hostRunning(OLD, NEW, NEXT)
    expectTidy(host, NEXT, NEW)
    expect([...host.maps].some((map) => map.endsWith('/gone'))).toBe(false)
    expect(await buildsOf(host, () => agentOn(host).pass(OLD))).toBe(2)
    expectTidy(host, OLD, NEXT)
  })
  test('of which the build was cut short is not gone back to', async () => {
    const host = await hostRunning(OLD, NEW)
    for (const { generations } of host.chains.values()) {
      const [number, generation] = [...generations][0] ?? expect.fail('no generation')
      generations.set(number, { ...generation, programId: 0 })
    }
    expect(await buildsOf(host, () => agentOn(host).pass(OLD))).toBe(2)
    expect(host.hooks()).toEqual(RUNS_OLD)
    expectTidy(host, OLD, NEW)
  })
  test('counts on where it stopped, and its packets are in the totals meanwhile', async () => {
    const host = await hostRunning(OLD)
    host.traffic(5)
    await agentOn(host).pass(NEW)
    host.traffic(2)
    expect(await totals(host)).toEqual([7, 7])
    await agentOn(host).pass(OLD)
    host.traffic(1)
    expect(await totals(host)).toEqual([8, 8])
    await agentOn(host).pass(NEXT)
    await agentOn(host).pass(OLD)
    expect(await totals(host)).toEqual([8, 8])
  })
  test('stays what it was when the kernel refuses to go on', async () => {
    const host = await hostRunning(OLD, NEW)
    const refuse: Refusal = (call) =>
      call === 'activate' ? new DomainError('kernel_refused', 'no') : undefined
    expect(await codeOf(agentOn(host, undefined, refuse).pass(NEXT))).toBe('kernel_refused')
    expect(await buildsOf(host, () => agentOn(host).pass(OLD))).toBe(0)
    expect(host.hooks()).toEqual(RUNS_OLD)
  })
})

describe('a change that waits to be confirmed', () => {
  test('stays when it is', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    expect([agent.chains.unconfirmed, waysBack(host)]).toEqual([
      true,
      [
        { previous: 1, unconfirmed: 2 },
        { previous: 1, unconfirmed: 2 },
      ],
    ])
    await agent.confirm()
    expect(agent.chains.unconfirmed).toBe(false)
    expect(await agent.takeBack()).toEqual([])
    expect(host.hooks()).toEqual(RUNS_NEW)
    expectTidy(host, NEW, OLD)
  })
  test('goes back to what ran before, with nothing built, when it is taken back', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    const builds = host.builds.length
    expect((await agent.takeBack()).map(({ key, functions }) => [key, functions])).toEqual([
      ['1-2-xdp', ['edge']],
      ['1-3-xdp', ['edge']],
    ])
    expect([host.hooks(), host.builds.length]).toEqual([RUNS_OLD, builds])
    expect(agent.chains.unconfirmed).toBe(false)
    expect(await agent.takeBack()).toEqual([])
    await agent.pass(OLD)
    expectTidy(host, OLD)
    expect([...host.maps].some((map) => map.endsWith('/came'))).toBe(false)
  })
  test('is detached when it was the first', async () => {
    const host = new FakeHost()
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    expect(await agent.takeBack()).toHaveLength(2)
    expect(host.hooks()).toEqual(NOTHING)
    await agent.pass(undefined)
    expectTidy(host, undefined)
  })
  test('followed by another goes back to what was confirmed last, not to what came in between', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    await agent.pass(NEXT, true)
    expectTidy(host, NEXT, OLD)
    await agent.takeBack()
    expect(host.hooks()).toEqual(RUNS_OLD)
  })
  test('followed by a second one where nothing ran at first goes back to nothing', async () => {
    const host = new FakeHost()
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    await agent.pass(NEXT, true)
    await agent.takeBack()
    expect(host.hooks()).toEqual(NOTHING)
  })
  test('and is ordered back by hand waits for nothing: what it goes back to was confirmed', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    await agent.pass(OLD, true)
    expect(agent.chains.unconfirmed).toBe(false)
    expect(await agent.takeBack()).toEqual([])
    expect(host.hooks()).toEqual(RUNS_OLD)
  })
  test('that changes one chain of two takes back that one alone', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host)
    await agent.chains.refresh()
    await agent.chains.bring(chainsOf(host, NEW).slice(1), true)
    expect((await agent.takeBack()).map(({ key }) => key)).toEqual(['1-3-xdp'])
    expect(host.hooks()).toEqual(RUNS_OLD)
  })
  test('names the functions that it changed, and not those that were in the chain before', async () => {
    const stays = ready('stays', { name: 'core' })
    const host = await hostRunning(merged(stays, OLD))
    const agent = agentOn(host)
    await agent.pass(merged(stays, NEW), true)
    const taken = await agent.takeBack()
    expect(taken.map(({ functions }) => functions)).toEqual([['edge'], ['edge']])
  })
  test('names those that left the chain, and all where only their order changed', async () => {
    const stays = ready('stays', { name: 'core' })
    const host = await hostRunning(merged(stays, OLD))
    const agent = agentOn(host)
    await agent.pass(stays, true)
    expect((await agent.takeBack()).map(({ functions }) => functions)).toEqual([['edge'], ['edge']])
    await agent.pass(merged(OLD, stays), true)
    expect((await agent.takeBack())[0]?.functions).toEqual(['edge', 'core'])
  })
  test('is named before it is taken back', async () => {
    const host = await hostRunning(OLD)
    const agent = agentOn(host)
    await agent.pass(NEW, true)
    const named = agent.chains.unconfirmedChanges()
    expect(host.hooks()).toEqual(RUNS_NEW)
    expect(await agent.takeBack()).toEqual(named)
    expect(agent.chains.unconfirmedChanges()).toEqual([])
  })
  test('is remembered by the next life of the agent', async () => {
    const host = await hostRunning(OLD)
    await agentOn(host).pass(NEW, true)
    const next = agentOn(host)
    await next.pass(NEW)
    expect(next.chains.unconfirmed).toBe(true)
    await next.takeBack()
    expect(host.hooks()).toEqual(RUNS_OLD)
  })

  /** What a process does with a change, dying after `most` steps; then another one does it whole. */
  async function throughCrash(
    before: Wanted | undefined,
    most: number,
    work: (agent: ReturnType<typeof agentOn>) => Promise<unknown>,
  ): Promise<{ host: FakeHost; died: boolean }> {
    const host = before === undefined ? new FakeHost() : await hostRunning(before)
    await agentOn(host).pass(NEW, true)
    let died = false
    await work(agentOn(host, most)).catch((error: unknown) => {
      died = true
      expect(error).toSatisfy((thrown) => thrown instanceof Crash)
    })
    return { host, died }
  }
  test.each([
    ['what ran before', OLD, RUNS_OLD],
    ['nothing', undefined, NOTHING],
  ])('survives a crash at any step of taking it back to %s', async (_, before, runs) => {
    let most = 0
    for (; ; most++) {
      const { host, died } = await throughCrash(before, most, (agent) => agent.takeBack())
      for (const [name, text] of Object.entries(host.hooks()))
        expect([RUNS_NEW[name as 'eth0'], runs[name as 'eth0']]).toContain(text)
      const next = agentOn(host)
      await next.takeBack()
      expect(next.chains.unconfirmed).toBe(false)
      expect(host.hooks()).toEqual(runs)
      await next.chains.allowUndone() // as the registry is within reach
      await next.pass(before)
      expectTidy(host, before)
      if (!died) break
    }
    expect(most).toBeGreaterThan(3)
  })
  test('survives a crash at any step of confirming it', async () => {
    let most = 0
    for (; ; most++) {
      const { host, died } = await throughCrash(OLD, most, (agent) => agent.confirm())
      await agentOn(host).confirm()
      const next = agentOn(host)
      await next.pass(NEW)
      expect(next.chains.unconfirmed).toBe(false)
      expectTidy(host, NEW, OLD)
      if (!died) break
    }
    expect(most).toBe(2)
  })
  test('survives a crash at any step of making it: what is taken back then is what was confirmed', async () => {
    for (let most = 0; ; most++) {
      const host = await hostRunning(OLD)
      let died = false
      await agentOn(host, most)
        .pass(NEW, true)
        .catch(() => {
          died = true
        })
      await agentOn(host).takeBack()
      expect(host.hooks()).toEqual(RUNS_OLD)
      await agentOn(host).pass(OLD)
      expectTidy(host, OLD)
      if (!died) break
    }
  })
})

describe('functions that share a hook', () => {
  const CORE = ready('first', { name: 'core', maps: ['own'] })
  test('are one chain, in order', async () => {
    const host = await hostRunning(merged(CORE, OLD))
    expect(host.hooks()).toMatchObject({ eth0: 'xdp_limit first > xdp_limit old' })
    const { chains } = agentOn(host)
    await chains.refresh()
    expect(chains.running().get('1-2-xdp')).toEqual(['core', 'edge'])
    for (const chain of chains.observe()) expect(ObservedChain.parse(chain)).toEqual(chain)
    expect(chains.observe()[0]?.entries.map((entry) => [entry.position, entry.function])).toEqual([
      [1, 'core'],
      [2, 'edge'],
    ])
  })
  test('keep what they have counted when another one joins or goes', async () => {
    const host = await hostRunning(OLD)
    host.traffic(5)
    await agentOn(host).pass(merged(CORE, OLD))
    host.traffic(2)
    const { chains } = agentOn(host)
    await chains.refresh()
    const counted = chains.observe()[0]?.entries.map((entry) => [entry.function, entry.total.pass])
    expect(counted).toEqual([
      ['core', 2],
      ['edge', 7],
    ])
    await agentOn(host).pass(OLD)
    expect(await totals(host)).toEqual([7, 7])
  })
  test('are told apart in what runs', async () => {
    const host = await hostRunning(merged(CORE, OLD))
    const { chains } = agentOn(host)
    await chains.refresh()
    const before = chains.part('1-2-xdp', 'core')
    const edge = chains.part('1-2-xdp', 'edge')
    const next = agentOn(host)
    await next.pass(merged(CORE, NEW))
    expect(next.chains.part('1-2-xdp', 'core')).toBe(before)
    expect(next.chains.part('1-2-xdp', 'edge')).not.toBe(edge)
    expect(next.chains.part('1-2-xdp', 'other')).toBe('')
    expect(next.chains.part('1-9-xdp', 'core')).toBeUndefined()
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
    expect(chains.strangers().map(({ code }) => code)).toEqual(['running_unknown'])
    expect(chains.stranger('1-3-xdp')?.message).toContain('chain 1-3-xdp')
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
    expect(chains.strangers()).toEqual([])
    await chains.retire()
    expect(host.maps.has('someone/elses/map')).toBe(false)
  })
})

describe('a chain that somebody else changed', () => {
  const replaced = async () => {
    const host = await hostRunning(OLD)
    const { link } = host.chains.get('1-3-xdp') ?? {}
    if (link === undefined) throw new Error('nothing runs')
    Object.assign(link, { programId: 77 })
    return host
  }
  test('by replacing its program is named with what is attached, and left alone', async () => {
    const { chains } = agentOn(await replaced())
    expect(await chains.refresh()).toEqual([])
    expect(chains.strangers().map(({ code }) => code)).toEqual(['chain_altered'])
    expect(chains.stranger('1-3-xdp')?.message).toMatch(
      /xdp on eth1 runs program 77 \(name fake, tag tag77\)/,
    )
    expect(chains.stranger('1-2-xdp')).toBe(undefined)
    expect(chains.running().get('1-3-xdp')).toBe(undefined)
  })
  test('by removing the pins of what runs is named likewise, and goes on to be', async () => {
    const host = await hostRunning(OLD)
    host.chains.get('1-3-xdp')?.generations.clear()
    const { chains } = agentOn(host)
    for (const _ of [1, 2]) {
      expect(await chains.refresh()).toEqual([])
      expect(chains.strangers().map(({ code }) => code)).toEqual(['chain_altered'])
    }
  })
  test.each(['while its agent runs', 'before its agent starts'])(
    'by detaching it %s is named once',
    async (when) => {
      const host = await hostRunning(OLD)
      const { chains } = agentOn(host)
      if (when === 'while its agent runs') expect(await chains.refresh()).toEqual([])
      const chain = host.chains.get('1-3-xdp') ?? expect.fail('no chain')
      chain.link = undefined
      expect((await chains.refresh()).map(({ interface: name }) => name)).toEqual(['eth1'])
      expect(await chains.refresh()).toEqual([])
    },
  )
  test('is none whose interface is gone, nor one that its agent detached', async () => {
    const host = await hostRunning(OLD)
    const { chains } = agentOn(host)
    await chains.refresh()
    await chains.detach('1-2-xdp')
    const chain = host.chains.get('1-3-xdp') ?? expect.fail('no chain')
    chain.link = undefined
    host.interfaces.splice(1, 1)
    expect(await chains.refresh()).toEqual([])
  })
})

test('of entries that are gone, only the latest are remembered, and those of a chain always', async () => {
  const host = new FakeHost()
  const { pass } = agentOn(host)
  const steady = ready('steady', { name: 'steady' })
  const names = Array.from({ length: LIMITS.chain_past_entries + 10 }, (_, at) => `f${at}`)
  for (const name of names) await pass(merged(steady, ready(name, { name })))
  for (const { totals, generations } of host.remembered()) {
    const present = generations.flatMap(({ functions }) => functions.map(({ name }) => name))
    const known = Object.keys(totals).map((key) => key.split('/')[0] ?? '')
    expect(known).toContain('steady')
    const past = known.filter((name) => !present.includes(name))
    expect(past).toEqual(names.filter((name) => !present.includes(name)).slice(-LIMITS.chain_past_entries))
  }
})

describe('what was revoked', () => {
  const died = (error: unknown): boolean =>
    error instanceof Crash || (error instanceof Error && died(error.cause))
  const isRevoked: IsRevoked = ({ object }) => object === sha256Digest(Buffer.from('old'))
  const generationsOf = (host: FakeHost): string[] =>
    [...host.chains.values()].flatMap(({ generations }) => [...generations.values()].map(({ runs }) => runs))
  /** What an agent does that learned of the revocation. */
  async function act(host: FakeHost, wanted: Wanted, most?: number, suspects = new Set<string>()) {
    const agent = agentOn(host, most, undefined, isRevoked)
    await agent.chains.refresh()
    await agent.chains.purge(suspects)
    await agent.bring(wanted, true)
    return agent
  }

  test('is left for good: nothing to confirm, nothing to go back to, and its state is not carried over', async () => {
    const host = await hostRunning(OLD)
    const agent = await act(host, NEW)
    expect([agent.chains.unconfirmed, agent.chains.tainted().size]).toEqual([false, 0])
    expect(await agent.takeBack()).toEqual([])
    expect(host.hooks()).toEqual(RUNS_NEW)
    await agent.chains.retire()
    expect(generationsOf(host)).toEqual(['xdp_limit new', 'xdp_limit new'])
    expect([...host.maps].sort()).toEqual(['edge/limit/came', 'edge/limit/m1'])
  })
  test('another change has to be confirmed as ever', async () => {
    const host = await hostRunning(NEW)
    const agent = await act(host, NEXT)
    expect(agent.chains.unconfirmed).toBe(true)
    await agent.takeBack()
    expect(host.hooks()).toEqual(RUNS_NEW)
  })
  test('is no way back for a change that still waits to be confirmed', async () => {
    const host = await hostRunning(OLD)
    await agentOn(host).bring(NEW, true)
    const agent = await act(host, NEW)
    await agent.takeBack()
    expect(host.hooks()).toEqual(RUNS_NEW)
    expect(generationsOf(host)).toEqual(['xdp_limit new', 'xdp_limit new'])
  })
  test('is not kept as the generation before', async () => {
    const host = await hostRunning(OLD, NEW)
    expect(generationsOf(host)).toContain('xdp_limit old')
    await act(host, NEW, undefined, new Set(['acme/limit']))
    expect(generationsOf(host)).toEqual(['xdp_limit new', 'xdp_limit new'])
    expect(host.hooks()).toEqual(RUNS_NEW)
  })
  test('is not what is gone back to, nor is what shares its state', async () => {
    const host = await hostRunning(NEW, OLD) // the way back leads to NEW, on state that OLD has written to
    const builds = host.builds.length
    const agent = await act(host, NEW)
    expect(host.hooks()).toEqual(RUNS_NEW)
    expect(host.builds.length).toBe(builds + 2)
    await agent.chains.retire()
    expect(generationsOf(host)).toEqual(['xdp_limit new', 'xdp_limit new'])
  })
  test('is gone after a crash at any step, once the next life has acted', async () => {
    const whole = await hostRunning(OLD)
    const steps = (await act(whole, NEW)).steps()
    expect(steps).toBeGreaterThan(6)
    for (let most = 0; most <= steps; most++) {
      const host = await hostRunning(OLD)
      await act(host, NEW, most).catch((error: unknown) => {
        expect(error).toSatisfy(died)
      })
      const agent = await act(host, NEW)
      await agent.chains.retire()
      expect([host.hooks(), generationsOf(host)]).toEqual([RUNS_NEW, ['xdp_limit new', 'xdp_limit new']])
    }
  })
})
