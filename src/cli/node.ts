import { DomainError } from '../domain/errors.ts'
import type { NodeView } from '../domain/node.ts'
import { nodeState, overviewOf } from '../domain/node-summary.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderStatus, statusOf } from './status-text.ts'
import { renderFields, renderTable } from './table.ts'
import { counted, durationText, labelsText, timeText } from './terminal.ts'

/** Lists the nodes that have joined. */
export async function listNodes(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const nodes = await (await connectWithToken(io, flags)).nodes()
  const now = new Date()
  const rows = nodes.map((node) => [
    node.facts.name,
    node.id,
    labelsText(node.facts.labels),
    node.facts.kernel,
    node.lastSeenAt === undefined ? 'never' : timeText(node.lastSeenAt),
    healthOf(node, now),
  ])
  const head = ['node', 'id', 'labels', 'kernel', 'last seen', 'state']
  return {
    json: { nodes },
    text: nodes.length === 0 ? 'no nodes; let one join: hookline node token' : renderTable(io, head, rows),
  }
}

/** Forgets a node, by name or id. Throws `not_found`. */
export async function removeNode(
  { node: asked, ...flags }: RegistryFlags & { node: string },
  { io }: Context,
): Promise<Outcome> {
  const client = await connectWithToken(io, flags)
  const { id, facts } = findNode(await client.nodes(), asked)
  await client.removeNode(id)
  return {
    json: { id, name: facts.name },
    text: `node ${facts.name} is forgotten; what it runs goes on until \`hookline agent --detach\` there`,
  }
}

/** Shows one node, by name or id. Throws `not_found`. */
export async function showNode(
  { node: asked, ...flags }: RegistryFlags & { node: string },
  { io }: Context,
): Promise<Outcome> {
  const node = findNode(await (await connectWithToken(io, flags)).nodes(), asked)
  const { facts, observed } = node
  return {
    json: node,
    text: [
      renderFields([
        ['node', facts.name],
        ['id', node.id],
        ['labels', labelsText(facts.labels)],
        ['kernel', `${facts.kernel} ${facts.arch}`],
        ['agent', facts.agent],
        ['key', node.key],
        ['key since', timeText(node.keySince)],
        ['enrolled', timeText(node.enrolledAt)],
        ['last seen', node.lastSeenAt === undefined ? 'never' : timeText(node.lastSeenAt)],
      ]),
      '',
      observed === undefined ? 'no report yet' : renderStatus(io, [statusOf(node)], new Date()),
    ].join('\n'),
  }
}

/** The node named `asked`, or with that id. Throws `not_found`. */
export function findNode(nodes: readonly NodeView[], asked: string): NodeView {
  const found = nodes.find(({ id, facts }) => id === asked || facts.name === asked)
  if (found === undefined) throw new DomainError('not_found', `there is no node ${asked}`)
  return found
}

/** A word about a node; what a silent one reported last may not be so any more. */
function healthOf(node: NodeView, now: Date): string {
  const { observed } = node
  if (observed === undefined) return 'no report yet'
  const { silent_s } = nodeState(overviewOf(node), now)
  if (silent_s !== undefined) return `silent for ${durationText(silent_s)}`
  const failed = observed.functions.filter(({ error }) => error !== undefined).length + observed.errors.length
  return failed === 0 ? 'ok' : counted(failed, 'error')
}
