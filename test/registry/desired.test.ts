import { describe, expect, test } from 'vitest'
import { FunctionSpec, type Labels, orderName } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { FleetSnapshot, FunctionHead } from '../../src/ports/fleet.ts'
import { openDesiredDesk, ordersFor } from '../../src/registry/desired.ts'
import { localNotices } from '../../src/store/change-notices.ts'

const head = (name: string, selectors: Labels[], removedAt?: number): FunctionHead => ({
  order:
    removedAt === undefined
      ? {
          kind: 'apply',
          revision: 1,
          function: FunctionSpec.parse({
            ...{ kind: 'function', name, selector: selectors.at(-1), interfaces: ['eth0'] },
            instances: [{ use: 'acme/limit@^1.0' }],
          }),
        }
      : { kind: 'remove', revision: 2, name },
  envelope: `envelope of ${name}`,
  appliedAt: new Date(removedAt ?? 0),
  selectors,
})
const names = (heads: FunctionHead[], labels: Labels): string[] =>
  ordersFor(heads, labels).map(({ order }) => orderName(order))

describe('the orders for a node', () => {
  const heads = [
    head('everyone', [{}]),
    head('edge', [{ role: 'edge' }]),
    head('edge-west', [{ role: 'edge', site: 'west' }]),
    head('was-edge', [{ role: 'edge' }, { role: 'core' }]),
    head('ended-edge', [{ role: 'edge' }], 5),
  ]
  test.each<[Labels, string[]]>([
    [{ role: 'edge' }, ['edge', 'ended-edge', 'everyone', 'was-edge']],
    [{ role: 'edge', site: 'west' }, ['edge', 'edge-west', 'ended-edge', 'everyone', 'was-edge']],
    [{ role: 'core' }, ['everyone', 'was-edge']],
    [{}, ['everyone']],
  ])('with labels %j', (labels, expected) => expect(names(heads, labels)).toEqual(expected))
  test('are at most as many as a document holds: what is in force first, then the newest removals', () => {
    const many = Array.from({ length: 2000 }, (_, at) => head(`fn${String(at).padStart(4, '0')}`, [{}], at))
    const kept = names([head('applied', [{}]), ...many], {})
    expect(kept).toHaveLength(LIMITS.desired_functions)
    expect(kept[0]).toBe('applied')
    expect(kept.at(-1)).toBe('fn1999')
    expect(kept).not.toContain('fn0000')
  })
})

describe('the desk', () => {
  const signal = new AbortController().signal
  function counting(snapshot: Partial<FleetSnapshot> = {}) {
    let reads = 0
    let fail = false
    const notices = localNotices()
    const read = async (): Promise<FleetSnapshot> => {
      reads += 1
      if (fail) throw new Error('the database is away')
      return { heads: [], resolutions: [], releases: [], revocations: [], operators: [], ...snapshot }
    }
    const desk = openDesiredDesk({ snapshot: read }, notices)
    return { desk, notices, reads: () => reads, failing: (now: boolean) => (fail = now) }
  }
  test('reads once for any number of nodes, and once again after a change', async () => {
    const { desk, notices, reads } = counting({ heads: [head('edge', [{ role: 'edge' }])] })
    const ask = () =>
      Promise.all(
        Array.from({ length: 100 }, (_, at) =>
          desk.desired({ role: at % 2 ? 'edge' : 'core' }, undefined, 0, signal),
        ),
      )
    const documents = await ask()
    expect(reads()).toBe(1)
    expect(new Set(documents).size).toBe(2)
    notices.announce()
    await ask()
    expect(reads()).toBe(2)
  })
  test('waits on while a change does not concern the node', async () => {
    const { desk, notices, reads } = counting()
    const { tag = '' } = (await desk.desired({}, undefined, 0, signal)) ?? {}
    const waiting = desk.desired({}, tag, 0.2, signal)
    notices.announce()
    expect(await waiting).toBeUndefined()
    expect(reads()).toBe(2)
  })
  test('does not remember a read that failed', async () => {
    const { desk, failing } = counting()
    failing(true)
    await expect(desk.desired({}, undefined, 0, signal)).rejects.toThrow('away')
    failing(false)
    expect(await desk.desired({}, undefined, 0, signal)).toBeDefined()
  })
  test('refuses a document that no node would read', async () => {
    const envelope = 'x'.repeat(LIMITS.desired_bytes)
    const { desk } = counting({ heads: [{ ...head('edge', [{}]), envelope }] })
    await expect(desk.desired({}, undefined, 0, signal)).rejects.toMatchObject({ code: 'too_large' })
  })
})
