import { describe, expect, test } from 'vitest'
import type { RunningRecord } from '../../src/agent/chain-record.ts'
import { dropEntry } from '../../src/agent/drop-entry.ts'
import type { FunctionChoice } from '../../src/agent/function-choices.ts'
import type { ReadyEntry } from '../../src/agent/instance.ts'
import { functionState, orderedChains } from '../../src/agent/ordered-chains.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { FunctionSpec } from '../../src/domain/function.ts'
import type { Hook } from '../../src/domain/hook.ts'
import type { NetworkInterface } from '../../src/ports/chain-kernel.ts'

const ETH0: NetworkInterface = { name: 'eth0', ifindex: 2, defaultRoute: false }
const keyOf = (ifindex: number, hook: Hook): string => `1-${ifindex}-${hook}`
const XDP = keyOf(2, 'xdp')

const specOf = (name: string, spec: object = {}): FunctionSpec =>
  FunctionSpec.parse({
    ...{ kind: 'function', name, selector: {}, interfaces: ['eth0'], instances: [{ use: 'acme/knob@^1.0' }] },
    ...spec,
  })
/** An entry is told by its function, release and hook alone. */
const entryOf = (name: string, release: string, hook: Hook = 'xdp'): ReadyEntry =>
  dropEntry(name, 'x', release, hook)

/** A function of revision 2, and the ways in which it may run: what of it, and by which revision. */
function choice(
  name: string,
  ways: readonly { readonly entries: readonly ReadyEntry[]; readonly revision?: number }[],
  spec: object = {},
): FunctionChoice {
  const accepted = { name, revision: 2, envelope: '', operatorKey: '' }
  return {
    standing: { kind: 'active', name, revision: 2, spec: specOf(name, spec), accepted },
    allowed: ways.map(({ entries, revision = 2 }) => ({
      ...{ name, revision, entries, spec: specOf(name, spec), proof: undefined },
    })),
    problem: undefined,
  }
}

/** A chain that runs these, as the agent remembers it. */
const runs = (entries: readonly ReadyEntry[], hook: Hook = 'xdp'): RunningRecord => ({
  ...{ key: keyOf(2, hook), hook },
  generation: {
    ...{
      generation: 1,
      builtAt: '2026-01-01T00:00:00.000Z',
      spec: `sha256:${'0'.repeat(64)}`,
      stateKeys: [],
    },
    functions: [...new Set(entries.map(({ record }) => record.function))].map((name) => ({
      name,
      revision: 2,
    })),
    entries: entries.map(({ record }) => ({ ...record, form: 'fused' })),
  },
})

const planned = (choices: readonly FunctionChoice[], running: readonly RunningRecord[] = []) =>
  orderedChains(choices, running, [ETH0], keyOf)
const specs = (entries: readonly ReadyEntry[]): string[] => entries.map(({ record }) => record.spec)
const state = (one: FunctionChoice, running: readonly RunningRecord[] = []) =>
  functionState(one, planned([one], running).values(), [ETH0]).map(({ problem }) => problem?.code)

describe('the chains that orders have on a node', () => {
  const [a, b] = [entryOf('aa', 'acme/knob@1.0.0'), entryOf('bb', 'acme/knob@1.0.0')]

  test('have their entries by priority, then by name, whatever runs', () => {
    const choices = [choice('bb', [{ entries: [b] }]), choice('aa', [{ entries: [a] }])]
    for (const running of [[], [runs([b, a])], [runs([b])]])
      expect(
        planned(choices, running)
          .get(XDP)
          ?.entries.map(({ spec }) => spec),
      ).toEqual(specs([a, b]))
    const first = [choice('bb', [{ entries: [b] }], { priority: 1 }), choice('aa', [{ entries: [a] }])]
    expect(
      planned(first)
        .get(XDP)
        ?.entries.map(({ spec }) => spec),
    ).toEqual(specs([b, a]))
  })
  test('are on the hooks of entries and the interfaces of orders, and nowhere else', () => {
    const tc = entryOf('aa', 'acme/knob@1.0.0', 'tc-egress')
    expect([...planned([choice('aa', [{ entries: [a, tc] }])]).keys()].sort()).toEqual([
      keyOf(2, 'tc-egress'),
      XDP,
    ])
    expect([...planned([choice('aa', [{ entries: [a] }], { interfaces: ['eth1'] })]).keys()]).toEqual([])
  })
  test('are those of the way in which a function runs', () => {
    const older = entryOf('aa', 'acme/knob@0.9.0')
    const both = choice('aa', [{ entries: [a] }, { entries: [older], revision: 1 }])
    expect(planned([both], [runs([older])]).get(XDP)?.entries).toEqual([older.record])
    expect(planned([both], [runs([b])]).get(XDP)?.entries).toEqual([a.record])
    expect(state(both, [runs([a])])).toEqual([undefined])
    expect(state(both, [runs([older])])).toEqual(['running_behind'])
  })
  test('are there although a function could also run without this hook', () => {
    const tc = entryOf('aa', 'acme/knob@1.0.0', 'tc-ingress')
    const both = choice('aa', [{ entries: [a, tc] }, { entries: [a], revision: 1 }])
    expect(planned([both], [runs([a])]).get(keyOf(2, 'tc-ingress'))?.entries).toEqual([tc.record])
  })
  test('stay as they are where they have entries of a function of which nothing can be made', () => {
    const held = { ...choice('bb', []), problem: new DomainError('version_not_found', 'nothing fits') }
    const chains = planned([choice('aa', [{ entries: [a] }]), held], [runs([a, b])])
    expect(chains.get(XDP)?.heldBy).toBe('bb')
    expect(planned([choice('aa', [{ entries: [a] }]), held], [runs([a])]).get(XDP)?.heldBy).toBe(undefined)
    expect(state(held)).toEqual(['running_behind'])
  })
})

test('a function that ended is not told of, and one whose order is not believed is', () => {
  const { standing } = choice('aa', [])
  const { name, revision } = standing
  const of = (one: FunctionChoice['standing']) =>
    functionState(
      { standing: one, allowed: [], problem: new DomainError('operator_not_allowed', '') },
      [],
      [ETH0],
    )
  expect(of({ kind: 'ended', name, revision })).toEqual([])
  const problem = new DomainError('operator_not_allowed', 'a stranger')
  expect(of({ kind: 'held', name, revision, problem })).toMatchObject([
    { problem: { code: 'running_unverified', cause: 'operator_not_allowed' } },
  ])
})
test('a function that no interface here is meant for needs nothing', () => {
  const none = choice('aa', [], { interfaces: ['eth9'] })
  expect(state(none)).toEqual([undefined])
})
