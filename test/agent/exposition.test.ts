import { expect, test } from 'vitest'
import { exposition } from '../../src/agent/exposition.ts'
import { Observed } from '../../src/domain/node.ts'

const AT = '2026-05-01T12:00:00.000Z'
const AT_S = Date.parse(AT) / 1000
const DIGEST = `sha256:${'a'.repeat(64)}`
const error = { code: 'release_revoked', message: 'm', remedy: 'r' }

const observed = (parts: Partial<Observed> = {}): Observed =>
  Observed.parse({ at: AT, agent: '1.2.3', functions: [], chains: [], errors: [], ...parts })

const samplesOf = (text: string): string[] => text.split('\n').filter((line) => /^[^#]/.test(line))

test('a node that runs nothing says who it is, and when', () => {
  expect(exposition(observed(), 'edge-1')).toBe(
    `# HELP hookline_agent_info The agent, and its node.
# TYPE hookline_agent_info gauge
hookline_agent_info{node="edge-1",version="1.2.3"} 1
# HELP hookline_report_timestamp_seconds When the node was last looked at.
# TYPE hookline_report_timestamp_seconds gauge
hookline_report_timestamp_seconds ${AT_S}
`,
  )
})

test('functions, chains and packets are labelled by what they are', () => {
  const entry = {
    ...{ position: 1, function: 'edge', instance: 'limit', release: 'acme/limit@1.0.0', entry: 'xdp_limit' },
    ...{ object: DIGEST, proceed: ['pass'], form: 'fused' as const },
    ...{ packets: { pass: 3 }, total: { pass: 7, drop: 2 } },
  }
  const chain = {
    ...{ netns: '', interface: 'eth0', ifindex: 2, hook: 'xdp' as const, mode: 'native' as const },
    ...{ functions: [{ name: 'edge', revision: 4 }], generation: 3, linkId: 5, programId: 6 },
    ...{ programTag: '0123456789abcdef', since: AT, entries: [entry] },
  }
  const withdrawn = [{ instance: 'gone', release: 'acme/gone@1.0.0', action: 'drop' as const }]
  const text = exposition(
    observed({
      functions: [{ name: 'edge', revision: 4, state: 'refused', error, withdrawn }],
      chains: [chain],
      errors: [error, error, { ...error, code: 'log_stale' }],
      revocations: { believed: 2, ignored: 1, previous: 0, detach: 4, drop: 5 },
    }),
    'edge-1',
  )
  const place = 'netns="",interface="eth0",hook="xdp"'
  const of = `${place},function="edge",instance="limit",release="acme/limit@1.0.0",entry="xdp_limit"`
  expect(samplesOf(text)).toEqual([
    'hookline_agent_info{node="edge-1",version="1.2.3"} 1',
    `hookline_report_timestamp_seconds ${AT_S}`,
    'hookline_agent_errors{code="release_revoked"} 2',
    'hookline_agent_errors{code="log_stale"} 1',
    'hookline_revocations{standing="believed"} 2',
    'hookline_revocations{standing="ignored"} 1',
    'hookline_revocation_actions_total{action="previous"} 0',
    'hookline_revocation_actions_total{action="detach"} 4',
    'hookline_revocation_actions_total{action="drop"} 5',
    'hookline_function_state{function="edge",state="running"} 0',
    'hookline_function_state{function="edge",state="waiting"} 0',
    'hookline_function_state{function="edge",state="refused"} 1',
    'hookline_function_state{function="edge",state="removed"} 0',
    'hookline_function_revision{function="edge"} 4',
    'hookline_function_error{function="edge",code="release_revoked"} 1',
    'hookline_withdrawn_instance{function="edge",instance="gone",release="acme/gone@1.0.0",action="drop"} 1',
    `hookline_chain_generation{${place}} 3`,
    `hookline_chain_since_timestamp_seconds{${place}} ${AT_S}`,
    `hookline_entry_packets_total{${of},verdict="pass"} 7`,
    `hookline_entry_packets_total{${of},verdict="drop"} 2`,
  ])
})

test('what a label says ends no line and no label', () => {
  const text = exposition(observed(), 'a"} 1\nhookline_agent_errors{code="b\\')
  expect(samplesOf(text)[0]).toBe(
    'hookline_agent_info{node="a\\"} 1\\nhookline_agent_errors{code=\\"b\\\\",version="1.2.3"} 1',
  )
})
