import { describe, expect, test } from 'vitest'
import { type ChainPlan, type PlannedFunction, planChains } from '../../src/agent/plan.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import type { Hook } from '../../src/domain/hook.ts'
import type { NetworkInterface } from '../../src/ports/chain-kernel.ts'

const ETH0: NetworkInterface = { name: 'eth0', ifindex: 2, defaultRoute: false }
const ETH1: NetworkInterface = { name: 'eth1', ifindex: 3, defaultRoute: false }
const UPLINK: NetworkInterface = { name: 'eth9', ifindex: 9, defaultRoute: true }
const keyOf = (ifindex: number, hook: Hook): string => `1-${ifindex}-${hook}`

interface Options {
  readonly interfaces?: string[]
  readonly priority?: number
  readonly hooks?: readonly Hook[]
  readonly allowGeneric?: boolean
}
const ready = (
  name: string,
  { interfaces = ['eth*'], priority = 100, hooks = ['xdp'], allowGeneric = false }: Options = {},
): PlannedFunction => ({
  ...{ name, kind: 'ready', hooks: new Set(hooks) },
  spec: FunctionSpec.parse({
    ...{ kind: 'function', name, priority, selector: {}, interfaces, allowGeneric },
    instances: [{ use: 'acme/limit@1.0.0' }],
  }),
})
const heldBack = (name: string): PlannedFunction => ({ name, kind: 'held' })

interface Given {
  readonly functions: readonly PlannedFunction[]
  readonly ended?: readonly string[]
  readonly interfaces?: readonly NetworkInterface[]
  /** The functions of each chain that runs; undefined where nothing is remembered. */
  readonly running?: Record<string, readonly string[] | undefined>
  readonly purge?: readonly string[]
}
const plan = ({ functions, ended = [], interfaces = [ETH0], running = {}, purge = [] }: Given): ChainPlan =>
  planChains(functions, new Set(ended), interfaces, keyOf, new Map(Object.entries(running)), new Set(purge))

/** `functions@interface` of each chain that is to run, in order, with the hook where it is not XDP. */
const runs = ({ run }: Pick<ChainPlan, 'run'>): string[] =>
  run.map(
    ({ site: { at, hook }, functions }) =>
      `${functions.join('+')}@${at.name}${hook === 'xdp' ? '' : `:${hook}`}`,
  )
/** The same of each chain that stays, behind who holds it. */
const holds = ({ hold }: ChainPlan): string[] =>
  hold.map(({ by, ...part }) => `${by ?? 'nobody known'} against ${runs({ run: [part] })[0]}`)
const problems = (made: ChainPlan): Record<string, string> =>
  Object.fromEntries([...made.problems].map(([name, { code }]) => [name, code]))

describe('interfaces', () => {
  test('are those that a pattern fits, each with its own key', () => {
    const made = plan({
      functions: [ready('edge')],
      interfaces: [ETH0, ETH1, { ...ETH0, name: 'wlan0', ifindex: 5 }],
    })
    expect(made.run.map(({ site: { key, at } }) => [key, at.name])).toEqual([
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
    expect(runs(plan({ functions: [ready('edge', { interfaces })], interfaces: [ETH0, ETH1] }))).toEqual(
      expected,
    )
  })
  test('that a function asks for and that are not there are no problem: they may come', () => {
    const made = plan({ functions: [ready('edge', { interfaces: ['eth7'] })] })
    expect([runs(made), problems(made), made.detach]).toEqual([[], {}, []])
  })
})

describe('the interface of the default route', () => {
  test('is refused to a pattern', () => {
    const made = plan({ functions: [ready('edge')], interfaces: [ETH0, UPLINK] })
    expect([runs(made), problems(made)]).toEqual([['edge@eth0'], { edge: 'default_route_interface' }])
  })
  test('is given to its exact name', () => {
    const made = plan({
      functions: [ready('edge', { interfaces: ['eth*', 'eth9'] })],
      interfaces: [ETH0, UPLINK],
    })
    expect([runs(made), problems(made)]).toEqual([['edge@eth0', 'edge@eth9'], {}])
  })
  test('keeps the chain that runs there since before the route came: a route takes no filter down', () => {
    const made = plan({
      functions: [ready('edge')],
      interfaces: [UPLINK],
      running: { '1-9-xdp': ['edge'] },
    })
    expect([runs(made), made.detach, problems(made)]).toEqual([['edge@eth9'], [], {}])
  })
  test('is not inherited by a pattern when the function that ran there ends', () => {
    const made = plan({
      functions: [ready('edge')],
      ended: ['core'],
      interfaces: [UPLINK],
      running: { '1-9-xdp': ['core'] },
    })
    expect([runs(made), made.detach, problems(made)]).toEqual([
      [],
      ['1-9-xdp'],
      { edge: 'default_route_interface' },
    ])
  })
  test('is not joined by a pattern either, when another function runs there', () => {
    const made = plan({
      functions: [ready('core', { interfaces: ['eth9'] }), ready('edge')],
      interfaces: [UPLINK],
      running: { '1-9-xdp': ['core'] },
    })
    expect([runs(made), problems(made)]).toEqual([['core@eth9'], { edge: 'default_route_interface' }])
  })
  test('keeps a chain on one hook only where it runs: its other hook is refused to the pattern', () => {
    const made = plan({
      functions: [ready('edge', { hooks: ['xdp', 'tc-egress'] })],
      interfaces: [UPLINK],
      running: { '1-9-xdp': ['edge'] },
    })
    expect([runs(made), problems(made)]).toEqual([['edge@eth9'], { edge: 'default_route_interface' }])
  })
  test('keeps a function in a chain of several, each by its own right', () => {
    const made = plan({
      functions: [ready('edge'), ready('core', { interfaces: ['eth9'] })],
      interfaces: [UPLINK],
      running: { '1-9-xdp': ['edge'] },
    })
    expect([runs(made), problems(made)]).toEqual([['core+edge@eth9'], {}])
  })
})

describe('hooks', () => {
  test('are those that the function has entries for, each a chain of its own', () => {
    const both = ready('edge', { hooks: ['tc-egress', 'xdp'] })
    expect(runs(plan({ functions: [both], interfaces: [ETH0, ETH1] }))).toEqual([
      ...['edge@eth0', 'edge@eth0:tc-egress', 'edge@eth1', 'edge@eth1:tc-egress'],
    ])
  })
  test('are shared only where both have entries', () => {
    const made = plan({
      functions: [ready('bees', { hooks: ['xdp', 'tc-ingress'] }), ready('ants', { hooks: ['tc-ingress'] })],
    })
    expect(runs(made)).toEqual(['bees@eth0', 'ants+bees@eth0:tc-ingress'])
  })
  test('that a function has no entries for any more are left; its others stay', () => {
    const made = plan({
      functions: [ready('edge', { hooks: ['xdp'] })],
      running: { '1-2-xdp': ['edge'], '1-2-tc-ingress': ['edge'] },
    })
    expect([runs(made), made.detach]).toEqual([['edge@eth0'], ['1-2-tc-ingress']])
  })
})

describe('XDP in the stack is allowed', () => {
  test.each([
    [[true], true],
    [[false], false],
    [[true, true], true],
    [[true, false], false],
  ])('to functions that say %j: %s', (allowed, expected) => {
    const functions = allowed.map((allowGeneric, at) => ready(`f${at}`, { allowGeneric }))
    expect(plan({ functions }).run.map(({ site }) => site.allowGeneric)).toEqual([expected])
  })
  test('whatever a function says that is not on this interface', () => {
    const functions = [ready('ants', { allowGeneric: true }), ready('bees', { interfaces: ['eth1'] })]
    expect(plan({ functions }).run.map(({ site }) => site.allowGeneric)).toEqual([true])
  })
})

describe('functions on one hook are one chain', () => {
  test.each([
    ['by priority', [ready('ants'), ready('bees', { priority: 50 })], 'bees+ants@eth0'],
    ['by name where priorities are equal', [ready('bees'), ready('ants')], 'ants+bees@eth0'],
    [
      'by both',
      [ready('cats'), ready('bees', { priority: 7 }), ready('ants'), ready('dogs', { priority: 7 })],
      'bees+dogs+ants+cats@eth0',
    ],
  ])('%s', (_, functions, expected) => {
    const made = plan({ functions })
    expect([runs(made), problems(made), made.hold]).toEqual([[expected], {}, []])
  })
  test('whoever ran there first', () => {
    const made = plan({
      functions: [ready('bees', { priority: 50 }), ready('ants')],
      running: { '1-2-xdp': ['ants'] },
    })
    expect([runs(made), problems(made)]).toEqual([['bees+ants@eth0'], {}])
  })
  test('only where both ask for it', () => {
    const made = plan({
      functions: [ready('bees', { interfaces: ['eth0'] }), ready('ants')],
      interfaces: [ETH0, ETH1],
    })
    expect([runs(made), problems(made)]).toEqual([['ants+bees@eth0', 'ants@eth1'], {}])
  })
  test('a function that ended leaves it without a gap: nothing is detached', () => {
    const made = plan({
      functions: [heldBack('ants'), ready('bees')],
      ended: ['ants'],
      running: { '1-2-xdp': ['ants', 'bees'] },
    })
    expect([runs(made), made.detach, problems(made)]).toEqual([['bees@eth0'], [], {}])
  })
})

describe('a function that is held', () => {
  test('keeps its whole chain as it is; who else wants the hook is named', () => {
    const made = plan({
      functions: [heldBack('ants'), ready('bees'), ready('cats')],
      running: { '1-2-xdp': ['ants', 'bees'] },
    })
    expect([runs(made), holds(made), made.detach]).toEqual([[], ['ants against bees+cats@eth0'], []])
  })
  test('holds one hook of one interface, not its others', () => {
    const made = plan({
      functions: [heldBack('ants'), ready('bees', { hooks: ['xdp', 'tc-ingress'] })],
      interfaces: [ETH0, ETH1],
      running: { '1-2-xdp': ['ants'], '1-3-xdp': ['bees'] },
    })
    expect(holds(made)).toEqual(['ants against bees@eth0'])
    expect(runs(made)).toEqual(['bees@eth0:tc-ingress', 'bees@eth1', 'bees@eth1:tc-ingress'])
  })
  test('does not keep a hook that it does not run on', () => {
    const made = plan({ functions: [heldBack('ants'), ready('bees')] })
    expect([runs(made), holds(made)]).toEqual([['bees@eth0'], []])
  })
  test('and of which nothing is said at all, holds as well', () => {
    const made = plan({ functions: [ready('bees')], running: { '1-2-xdp': ['ants', 'bees'] } })
    expect([runs(made), holds(made)]).toEqual([[], ['ants against bees@eth0']])
  })
  test('a chain that nothing is remembered of stays too', () => {
    const made = plan({ functions: [ready('bees')], running: { '1-2-xdp': undefined } })
    expect([runs(made), holds(made), made.detach]).toEqual([[], ['nobody known against bees@eth0'], []])
  })
  test('holds no chain that has something revoked in it', () => {
    const [functions, running] = [[heldBack('ants'), ready('bees')], { '1-2-xdp': ['ants', 'bees'] }]
    const made = plan({ functions, running, purge: ['1-2-xdp'] })
    expect([runs(made), holds(made), made.detach]).toEqual([['bees@eth0'], [], []])
    const alone = plan({ functions: [heldBack('ants')], running, purge: ['1-2-xdp'] })
    expect([runs(alone), holds(alone), alone.detach]).toEqual([[], [], ['1-2-xdp']])
    expect(plan({ functions, running, purge: ['1-3-xdp'] }).hold).toHaveLength(1)
  })
})

describe('detached is only', () => {
  test('what ended', () => {
    const made = plan({
      functions: [heldBack('ants'), ready('bees', { interfaces: ['eth1'] })],
      ended: ['ants'],
      interfaces: [ETH0, ETH1],
      running: { '1-2-xdp': ['ants'], '1-3-xdp': ['bees'] },
    })
    expect([made.detach, runs(made)]).toEqual([['1-2-xdp'], ['bees@eth1']])
  })
  test('and what none of its functions asks for any longer', () => {
    const made = plan({
      functions: [ready('bees', { interfaces: ['eth1'] }), ready('ants', { interfaces: ['eth1'] })],
      interfaces: [ETH0, ETH1],
      running: { '1-2-xdp': ['ants', 'bees'], '1-3-xdp': ['bees'] },
    })
    expect([made.detach, runs(made)]).toEqual([['1-2-xdp'], ['ants+bees@eth1']])
  })
  test.each<[string, PlannedFunction[], string[] | undefined]>([
    ['held', [heldBack('ants')], ['ants']],
    ['held by one of several', [heldBack('ants'), ready('bees')], ['bees', 'ants']],
    ['of a function that nobody speaks of', [], ['ants']],
    ['unknown', [], undefined],
  ])('never a chain that is %s, even when its interface is not listed', (_, functions, owners) => {
    expect(plan({ functions, interfaces: [], running: { '1-2-xdp': owners } }).detach).toEqual([])
  })
})
