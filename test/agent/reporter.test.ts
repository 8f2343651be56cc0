import { describe, expect, test, vi } from 'vitest'
import { type FunctionStatus, Reporter } from '../../src/agent/reporter.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { noPackets } from '../../src/domain/hook.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import { Observed, type ObservedChain } from '../../src/domain/node.ts'

const running: FunctionStatus = { name: 'edge', revision: 2, state: 'running', problem: undefined }
const refused = (problem: DomainError): FunctionStatus => ({ ...running, state: 'waiting', problem })

const chain = (passed: number, generation = 1): ObservedChain => {
  const packets = { ...noPackets('xdp'), pass: passed }
  return {
    ...{
      netns: '',
      interface: 'eth0',
      ifindex: 2,
      hook: 'xdp',
      mode: 'native',
      functions: [{ name: 'edge', revision: 2 }],
    },
    ...{ generation, linkId: 1, programId: 7, programTag: 'tag', since: '2026-01-01T00:00:00Z' },
    entries: [
      {
        ...{
          position: 1,
          function: 'edge',
          instance: 'limit',
          release: 'acme/limit@1.0.0',
          entry: 'xdp_limit',
        },
        ...{ object: `sha256:${'0'.repeat(64)}`, proceed: ['pass'], form: 'fused', packets, total: packets },
      },
    ],
  }
}

function reporter(send: (observed: Observed) => Promise<void> = async () => {}) {
  const [sent, statuses, lines, logs]: [Observed[], Observed[], string[], [string, string][]] = [
    [],
    [],
    [],
    [],
  ]
  const made = new Reporter({
    state: {
      saveStatus: async (observed) => void statuses.push(Observed.parse(observed)),
      saveVerifierLog: async (name, log) => {
        logs.push([name, log])
        return `logs/${name}.log`
      },
    },
    registry: {
      report: async (observed) => {
        sent.push(Observed.parse(observed))
        await send(observed)
      },
    },
    version: '0.1.0',
    clock: () => new Date('2026-01-01T00:00:00Z'),
    say: (line) => lines.push(line),
  })
  return { made, sent, statuses, lines, logs }
}

test('a report says what runs, to the host and to the registry', async () => {
  const { made, sent, statuses } = reporter()
  await made.report([chain(3)], [running], [])
  await made.close()
  expect(sent).toEqual(statuses)
  expect(sent[0]).toEqual({
    ...{ at: '2026-01-01T00:00:00.000Z', agent: '0.1.0', chains: [chain(3)], errors: [] },
    functions: [{ name: 'edge', revision: 2, state: 'running' }],
  })
})

describe('the registry hears at once', () => {
  test.each([
    ['of a new generation', [chain(3, 2)], [running]],
    ['of a function’s problem', [chain(3)], [refused(new DomainError('hook_conflict', 'taken'))]],
    ['of an end', [], [{ ...running, state: 'removed' as const }]],
  ])('%s', async (_, chains, functions) => {
    const { made, sent } = reporter()
    await made.report([chain(3)], [running], [])
    await made.report(chains, functions, [])
    await made.close()
    expect(sent.at(-1)?.functions[0]?.state).toBe(
      functions[0]?.problem === undefined ? functions[0]?.state : 'refused',
    )
    expect(sent).toHaveLength(2)
  })
  test('but of counters alone only now and then, while the host’s own file has them always', async () => {
    const { made, sent, statuses } = reporter()
    for (const passed of [1, 2, 3]) await made.report([chain(passed)], [running], [])
    await made.close()
    expect(sent).toHaveLength(1)
    expect(statuses.map(({ chains }) => chains[0]?.entries[0]?.packets.pass)).toEqual([1, 2, 3])
  })
})

test('of counters the registry hears again when the time is due', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    const { made, sent } = reporter()
    await made.report([chain(1)], [running], [])
    vi.advanceTimersByTime(LIMITS.agent_report_ms - 1)
    await made.report([chain(2)], [running], [])
    vi.advanceTimersByTime(1)
    await made.report([chain(3)], [running], [])
    await made.close()
    expect(sent.map(({ chains }) => chains[0]?.entries[0]?.packets.pass)).toEqual([1, 3])
  } finally {
    vi.useRealTimers()
  }
})

test('a slow registry holds nothing up, and hears the newest of what came meanwhile', async () => {
  const slow = Promise.withResolvers<void>()
  const { made, sent, statuses } = reporter(() => slow.promise)
  for (const generation of [1, 2, 3]) await made.report([chain(0, generation)], [running], [])
  expect(statuses).toHaveLength(3)
  slow.resolve()
  await made.close()
  expect(sent.map(({ chains }) => chains[0]?.generation)).toEqual([1, 3])
})

test.each(['registry_unavailable', 'node_unauthenticated', 'node_key_retired'] as const)(
  'a registry that says %s is no failure and no line: the agent hears it by other ways, too',
  async (code) => {
    const { made, lines } = reporter(() => Promise.reject(new DomainError(code, 'no')))
    await made.report([chain(1)], [running], [])
    await made.close()
    expect(lines).toEqual([])
  },
)

test('a registry that refuses reports is told of once, and once when it takes them again', async () => {
  vi.useFakeTimers({ toFake: ['performance'] })
  try {
    let refusal: DomainError | undefined = new DomainError('too_large', 'too many chains')
    const { made, lines, sent } = reporter(async () => {
      if (refusal !== undefined) throw refusal
    })
    const report = async (): Promise<void> => {
      await made.report([chain(1)], [running], [])
      await made.close()
      vi.advanceTimersByTime(LIMITS.agent_report_ms)
    }
    for (const _ of [1, 2, 3]) await report()
    expect(lines).toEqual(['report: too many chains [too_large]'])
    refusal = undefined
    for (const _ of [1, 2]) await report()
    expect(lines.slice(1)).toEqual(['report: taken again'])
    expect(sent).toHaveLength(5)
  } finally {
    vi.useRealTimers()
  }
})

describe('a refusal', () => {
  test('is reported with code, message and remedy, and said once', async () => {
    const { made, statuses, lines } = reporter()
    const problem = new DomainError('hook_conflict', 'function core runs there')
    await made.report([], [refused(problem)], [])
    await made.report([], [refused(new DomainError('hook_conflict', 'function core runs there'))], [])
    expect(lines).toEqual(['refused edge: function core runs there [hook_conflict]'])
    expect(statuses[1]?.functions).toEqual([
      {
        ...{ name: 'edge', revision: 2, state: 'refused' },
        error: { code: 'hook_conflict', message: 'function core runs there', remedy: problem.remedy },
      },
    ])
    await made.close()
  })
  test('is said again when it is another one, or comes back', async () => {
    const { made, lines } = reporter()
    await made.report([], [refused(new DomainError('hook_conflict', 'a'))], [])
    await made.report([], [refused(new DomainError('hook_conflict', 'b'))], [])
    await made.report([], [running], [])
    await made.report([], [refused(new DomainError('hook_conflict', 'b'))], [])
    expect(lines).toHaveLength(3)
    await made.close()
  })
  test('by the verifier keeps its whole log on the host, and its end in the report', async () => {
    const { made, statuses, lines, logs } = reporter()
    const log = `${'walk\n'.repeat(10_000)}the reason`
    await made.report([], [refused(new DomainError('verifier_refused', 'no', { log }))], [])
    await made.close()
    expect(logs).toEqual([['edge', log]])
    expect(lines.at(-1)).toBe('whole log: logs/edge.log')
    const shown = statuses[0]?.functions[0]?.error?.log ?? ''
    expect([shown.length, shown.endsWith('walk\nthe reason')]).toEqual([16_384, true])
  })
})

test('what fails outside any function is reported beside them', async () => {
  const { made, sent } = reporter()
  await made.report([], [], [new DomainError('invalid_policy', 'trust.yaml: line 3')])
  await made.close()
  expect(sent[0]?.errors.map(({ code }) => code)).toEqual(['invalid_policy'])
})
