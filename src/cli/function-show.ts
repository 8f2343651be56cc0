import { describeOrder } from '../attest/order.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionStep } from '../domain/fleet-function.ts'
import { instanceName, type Order } from '../domain/function.ts'
import type { NodeView } from '../domain/node.ts'
import { knownOperators, type OperatorFlags, standingOf } from './current-revision.ts'
import { handIn } from './function-apply.ts'
import type { Context, Outcome } from './io.ts'
import { readPrivateKey } from './key-file.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { counted, labelsText, timeText } from './terminal.ts'

/** Lists the functions that the registry holds. */
export async function listFunctions(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const client = await connectWithToken(io, flags)
  const [held, nodes] = [await client.functions(), await client.nodes()]
  const functions = held.map((one) => ({ ...one, nodes: statesOn(nodes, one.name) }))
  const rows = functions.map(({ name, revision, state, appliedAt, nodes: on, resolutions }) => [
    ...[name, String(revision), state, timeText(appliedAt)],
    Object.entries(on)
      .map(([how, count]) => `${count} ${how}`)
      .join(', ') || 'none',
    resolutions.map(({ use, version }) => `${programPart(use)}@${version ?? '?'}`).join(' '),
  ])
  const head = ['function', 'revision', 'ordered', 'since', 'on nodes', 'releases']
  return {
    json: { functions },
    text: functions.length === 0 ? 'no functions' : renderTable(io, head, rows),
  }
}

/** How many nodes last reported a function in which state: what was ordered is not what runs. */
function statesOn(nodes: readonly NodeView[], name: string): Record<string, number> {
  const states = nodes.flatMap(({ observed }) =>
    (observed?.functions ?? []).filter((fn) => fn.name === name).map(({ state }) => state),
  )
  return Object.fromEntries(
    [...new Set(states)].sort().map((state) => [state, states.filter((one) => one === state).length]),
  )
}

/** Shows a function, its instances and its past. Throws `not_found`. */
export async function showFunction(
  { name, ...flags }: RegistryFlags & { name: string },
  { io }: Context,
): Promise<Outcome> {
  const client = await connectWithToken(io, flags)
  const view = await client.function(name)
  const steps = await client.history(name)
  const { order, operator } = describeOrder(view.envelope)
  const versions = new Map(view.resolutions.map(({ use, version }) => [use, version]))
  return {
    json: { ...view, order, operator, history: steps },
    text: [
      renderFields([
        ['function', view.name],
        ['revision', String(view.revision)],
        ['state', view.state],
        ['since', timeText(view.appliedAt)],
        ['signed by', `${operator} (nodes check it)`],
        ...orderFields(order),
      ]),
      ...(order.kind === 'apply' ? ['', renderInstances(io, order, versions)] : []),
      '',
      renderHistory(io, steps),
    ].join('\n'),
  }
}

/**
 * Ends a function by a signed removal: nodes detach it. One that has ended, by an order of a known operator, is left alone.
 * Throws `not_found`, `invalid_key`, and what {@link standingOf} throws.
 */
export async function removeFunction(
  { name, key: path, ...flags }: RegistryFlags & OperatorFlags & { name: string; key: string },
  { io }: Context,
): Promise<Outcome> {
  const key = await readPrivateKey(path, io, flags)
  const operators = await knownOperators(key, flags)
  const client = await connectWithToken(io, flags)
  const current = await standingOf(client, name, operators, flags)
  // a removal of what never was would be a function of its own
  if (current.state === 'unknown') throw new DomainError('not_found', `there is no function ${name}`)
  if (current.state === 'removed')
    return {
      json: { name, revision: current.revision, state: current.state },
      text: `function ${name} is removed already, by revision ${current.revision}; nothing was signed`,
    }
  const view = await handIn(client, { kind: 'remove', revision: current.revision + 1, name }, key)
  return {
    json: { name: view.name, revision: view.revision, state: view.state },
    text: `function ${view.name} is removed by revision ${view.revision}`,
  }
}

function orderFields(order: Order): [string, string][] {
  if (order.kind === 'remove') return []
  const { selector, interfaces, priority, onMissing, onRevoke } = order.function
  return [
    ['nodes', labelsText(selector) || 'every node'],
    ['interfaces', interfaces.join(', ')],
    ['priority', String(priority)],
    ['on missing', onMissing],
    ['on revoke', onRevoke],
  ]
}

function renderInstances(
  io: Context['io'],
  { function: spec }: Extract<Order, { kind: 'apply' }>,
  versions: ReadonlyMap<string, string | undefined>,
): string {
  const rows = spec.instances.map((instance, at) => [
    String(at + 1),
    instanceName(instance),
    instance.use,
    versions.get(instance.use) ?? 'no release fits',
    Object.entries(instance.config)
      .map(([key, value]) => `${key}=${Array.isArray(value) ? counted(value.length, 'item') : String(value)}`)
      .join(' '),
  ])
  return renderTable(io, ['pos', 'instance', 'use', 'version', 'config'], rows)
}

function renderHistory(io: Context['io'], steps: readonly FunctionStep[]): string {
  const rows = steps.map(({ revision, at, resolutions }) => [
    String(revision),
    timeText(at),
    resolutions.map(({ use, version }) => `${programPart(use)}@${version}`).join(' ') || 'no release fits', // a removal has no step
  ])
  return renderTable(io, ['revision', 'from', 'releases'], rows)
}

const programPart = (use: string): string => use.slice(0, use.indexOf('@'))
