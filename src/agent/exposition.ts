import type { Observed, ObservedChain, ObservedFunction } from '../domain/node.ts'

/** What a metric's samples are labelled with. */
type LabelSet = Readonly<Record<string, string>>
type Sample = readonly [labels: LabelSet, value: number]

interface Metric {
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly help: string
  readonly samples: readonly Sample[]
}

/** What a scraper is told that it gets. */
export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

/**
 * A node's report as metrics, in Prometheus' text format 0.0.4; pure. Counters begin anew with the agent, those of packets
 * with the chain. Times are in seconds since 1970.
 */
export function exposition(observed: Observed, node: string): string {
  return [...ofAgent(observed, node), ...ofFunctions(observed.functions), ...ofChains(observed.chains)]
    .filter(({ samples }) => samples.length > 0)
    .map(metricText)
    .join('')
}

const seconds = (at: string): number => Date.parse(at) / 1000

function ofAgent({ at, agent, errors, revocations }: Observed, node: string): Metric[] {
  const codes = new Map<string, number>()
  for (const { code } of errors) codes.set(code, (codes.get(code) ?? 0) + 1)
  const actions = ['previous', 'detach', 'drop'] as const
  return [
    gauge('hookline_agent_info', 'The agent, and its node.', [[{ node, version: agent }, 1]]),
    gauge('hookline_report_timestamp_seconds', 'When the node was last looked at.', [[{}, seconds(at)]]),
    gauge(
      'hookline_agent_errors',
      'What is wrong outside of any function, by code.',
      [...codes].map(([code, count]) => [{ code }, count]),
    ),
    gauge(
      'hookline_revocations',
      'Revocations that were shown to the node, by whether it believes them.',
      (['believed', 'ignored'] as const).flatMap((standing) =>
        revocations === undefined ? [] : [[{ standing }, revocations[standing]]],
      ),
    ),
    counter(
      'hookline_revocation_actions_total',
      'How often an instance was taken back, detached, or made to drop, for a revocation.',
      actions.flatMap((action) => (revocations === undefined ? [] : [[{ action }, revocations[action]]])),
    ),
  ]
}

const STATES = ['running', 'waiting', 'refused', 'removed'] as const

const ofFunctions = (functions: readonly ObservedFunction[]): Metric[] => [
  gauge(
    'hookline_function_state',
    'How a function fares: 1 for the state that it is in.',
    functions.flatMap(({ name, state }) =>
      STATES.map((one): Sample => [{ function: name, state: one }, one === state ? 1 : 0]),
    ),
  ),
  gauge(
    'hookline_function_revision',
    'The revision of a function that was accepted.',
    functions.map(({ name, revision }) => [{ function: name }, revision]),
  ),
  gauge(
    'hookline_function_error',
    'What stands in the way of a function’s newest revision, by code.',
    functions.flatMap(({ name, error }): Sample[] =>
      error === undefined ? [] : [[{ function: name, code: error.code }, 1]],
    ),
  ),
  gauge(
    'hookline_withdrawn_instance',
    'Instances of which a release is revoked, by what is done instead.',
    functions.flatMap(({ name, withdrawn = [] }) =>
      withdrawn.map(
        ({ instance, release, action }): Sample => [{ function: name, instance, release, action }, 1],
      ),
    ),
  ),
]

const placeOf = ({ netns, interface: name, hook }: ObservedChain): LabelSet => ({
  netns,
  interface: name,
  hook,
})

const ofChains = (chains: readonly ObservedChain[]): Metric[] => [
  gauge(
    'hookline_chain_generation',
    'The generation of the chain that runs on a hook.',
    chains.map((chain) => [placeOf(chain), chain.generation]),
  ),
  gauge(
    'hookline_chain_since_timestamp_seconds',
    'Since when that generation runs.',
    chains.map((chain) => [placeOf(chain), seconds(chain.since)]),
  ),
  counter(
    'hookline_entry_packets_total',
    'Packets behind an entry of a chain by verdict, over all generations that held it.',
    chains.flatMap((chain) =>
      chain.entries.flatMap(({ function: name, instance, release, entry, total }) =>
        Object.entries(total).map(
          ([verdict, packets]): Sample => [
            { ...placeOf(chain), function: name, instance, release, entry, verdict },
            packets,
          ],
        ),
      ),
    ),
  ),
]

const gauge = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  ...{ name, type: 'gauge', help, samples },
})
const counter = (name: string, help: string, samples: readonly Sample[]): Metric => ({
  ...{ name, type: 'counter', help, samples },
})

const metricText = ({ name, type, help, samples }: Metric): string =>
  `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${samples.map((sample) => `${name}${sampleText(sample)}\n`).join('')}`

function sampleText([labels, value]: Sample): string {
  const pairs = Object.entries(labels).map(([name, text]) => `${name}="${escaped(text)}"`)
  return `${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`
}

/** A label's value: backslash, quote and line feed are escaped, nothing else (text format 0.0.4). */
const escaped = (text: string): string =>
  text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
