import { describe, expect, test } from 'vitest'
import { type ChainPlan, type PlannedFunction, planChains } from '../../src/agent/plan.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import type { NetworkInterface } from '../../src/ports/chain-kernel.ts'

const ETH0: NetworkInterface = { name: 'eth0', ifindex: 2, defaultRoute: false }
const ETH1: NetworkInterface = { name: 'eth1', ifindex: 3, defaultRoute: false }
const UPLINK: NetworkInterface = { name: 'eth9', ifindex: 9, defaultRoute: true }
const keyOf = (ifindex: number): string => `1-${ifindex}-xdp`

const ready = (name: string, interfaces: string[] = ['eth*'], priority = 100): PlannedFunction => ({
  ...{ name, kind: 'ready' },
  spec: FunctionSpec.parse({
    ...{ kind: 'function', name, priority, selector: {}, interfaces },
    instances: [{ use: 'acme/limit@1.0.0' }],
  }),
})
const heldBack = (name: string): PlannedFunction => ({ name, kind: 'held' })

interface Given {
  readonly functions: readonly PlannedFunction[]
  readonly ended?: readonly string[]
  readonly interfaces?: readonly NetworkInterface[]
  readonly running?: Record<string, string | undefined>
}
const plan = ({ functions, ended = [], interfaces = [ETH0], running = {} }: Given): ChainPlan =>
  planChains(functions, new Set(ended), interfaces, keyOf, new Map(Object.entries(running)))

/** `function@interface` of each hook that is to run one. */
const runs = ({ run }: ChainPlan): string[] => run.map(({ function: name, at }) => `${name}@${at.name}`)
const problems = (made: ChainPlan): Record<string, string> =>
  Object.fromEntries([...made.problems].map(([name, { code }]) => [name, code]))

describe('interfaces', () => {
  test('are those that a pattern fits, each with its own key', () => {
    const made = plan({
      functions: [ready('edge')],
      interfaces: [ETH0, ETH1, { ...ETH0, name: 'wlan0', ifindex: 5 }],
    })
    expect(made.run.map(({ key, at }) => [key, at.name])).toEqual([
      ['1-2-xdp', 'eth0'],
      ['1-3-xdp', 'eth1'],
    ])
    expect(problems(made)).toEqual({})
  })
  test.each([
    [['eth0'], ['edge@eth0']],
    [
      ['eth1', 'eth0'],
      ['edge@eth0', 'edge@eth1'],
    ],
    [['*'], ['edge@eth0', 'edge@eth1']],
    [['*1'], ['edge@eth1']],
    [['eth'], []],
    [['et.0'], []],
  ])('%j fit %j', (interfaces, expected) => {
    expect(runs(plan({ functions: [ready('edge', interfaces)], interfaces: [ETH0, ETH1] }))).toEqual(expected)
  })
  test('that a function asks for and that are not there are no problem: they may come', () => {
    const made = plan({ functions: [ready('edge', ['eth7'])] })
    expect([runs(made), problems(made), made.detach]).toEqual([[], {}, []])
  })
})

describe('the interface of the default route', () => {
  test('is refused to a pattern', () => {
    const made = plan({ functions: [ready('edge')], interfaces: [ETH0, UPLINK] })
    expect([runs(made), problems(made)]).toEqual([['edge@eth0'], { edge: 'default_route_interface' }])
  })
  test('is given to its exact name', () => {
    const made = plan({ functions: [ready('edge', ['eth*', 'eth9'])], interfaces: [ETH0, UPLINK] })
    expect([runs(made), problems(made)]).toEqual([['edge@eth0', 'edge@eth9'], {}])
  })
  test('keeps the chain that runs there since before the route came: a route takes no filter down', () => {
    const made = plan({
      functions: [ready('edge')],
      interfaces: [UPLINK],
      running: { '1-9-xdp': 'edge' },
    })
    expect([runs(made), made.detach, problems(made)]).toEqual([['edge@eth9'], [], {}])
  })
  test('is not inherited by a pattern when the function that ran there ends', () => {
    const made = plan({
      functions: [ready('edge')],
      ended: ['core'],
      interfaces: [UPLINK],
      running: { '1-9-xdp': 'core' },
    })
    expect([runs(made), made.detach, problems(made)]).toEqual([
      [],
      ['1-9-xdp'],
      { edge: 'default_route_interface' },
    ])
  })
})

describe('a hook takes one function', () => {
  const two = [ready('bees', ['eth*'], 50), ready('ants')]
  test('the one that runs there keeps it, whatever the priority of the other', () => {
    const made = plan({ functions: two, running: { '1-2-xdp': 'ants' } })
    expect([runs(made), problems(made)]).toEqual([['ants@eth0'], { bees: 'hook_conflict' }])
  })
  test('of newcomers, the lower priority number', () => {
    const made = plan({ functions: two })
    expect([runs(made), problems(made)]).toEqual([['bees@eth0'], { ants: 'hook_conflict' }])
  })
  test('of newcomers of one priority, the first by name', () => {
    const made = plan({ functions: [ready('bees'), ready('ants')] })
    expect([runs(made), problems(made)]).toEqual([['ants@eth0'], { bees: 'hook_conflict' }])
  })
  test('two functions on two hooks are no conflict', () => {
    const made = plan({
      functions: [ready('bees', ['eth0']), ready('ants', ['eth1'])],
      interfaces: [ETH0, ETH1],
    })
    expect([runs(made), problems(made)]).toEqual([['bees@eth0', 'ants@eth1'], {}])
  })
  test('a function that is held keeps its hook as it is', () => {
    const made = plan({ functions: [heldBack('ants'), ready('bees')], running: { '1-2-xdp': 'ants' } })
    expect([runs(made), problems(made), made.detach]).toEqual([[], { bees: 'hook_conflict' }, []])
  })
  test('a held function does not keep a hook that it does not run on', () => {
    expect(runs(plan({ functions: [heldBack('ants'), ready('bees')] }))).toEqual(['bees@eth0'])
  })
  test('a function that ended gives its hook to the next without a gap: nothing is detached', () => {
    const made = plan({
      functions: [heldBack('ants'), ready('bees')],
      ended: ['ants'],
      running: { '1-2-xdp': 'ants' },
    })
    expect([runs(made), made.detach, problems(made)]).toEqual([['bees@eth0'], [], {}])
  })
  test('a chain that nothing is remembered of keeps its hook', () => {
    const made = plan({ functions: [ready('bees')], running: { '1-2-xdp': undefined } })
    expect([runs(made), problems(made), made.detach]).toEqual([[], { bees: 'hook_conflict' }, []])
  })
})

describe('detached is only', () => {
  test('what ended', () => {
    const made = plan({
      functions: [heldBack('ants'), ready('bees', ['eth1'])],
      ended: ['ants'],
      interfaces: [ETH0, ETH1],
      running: { '1-2-xdp': 'ants', '1-3-xdp': 'bees' },
    })
    expect([made.detach, runs(made)]).toEqual([['1-2-xdp'], ['bees@eth1']])
  })
  test('and what its function no longer asks for', () => {
    const made = plan({
      functions: [ready('bees', ['eth1'])],
      interfaces: [ETH0, ETH1],
      running: { '1-2-xdp': 'bees', '1-3-xdp': 'bees' },
    })
    expect([made.detach, runs(made)]).toEqual([['1-2-xdp'], ['bees@eth1']])
  })
  test.each([
    ['held', [heldBack('ants')], 'ants'],
    ['of a function that nobody speaks of', [], 'ants'],
    ['unknown', [], undefined],
  ])('never a chain that is %s, even when its interface is not listed', (_, functions, owner) => {
    expect(plan({ functions, interfaces: [], running: { '1-2-xdp': owner } }).detach).toEqual([])
  })
})
