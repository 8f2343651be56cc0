import { DomainError } from '../domain/errors.ts'
import type { NodeView } from '../domain/node.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderStatus, statusOf } from './status-text.ts'
import { renderFields, renderTable } from './table.ts'
import { counted } from './terminal.ts'

/** Lists the nodes that have joined. */
export async function listNodes(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const nodes = await (await connectWithToken(io, flags)).nodes()
  const rows = nodes.map((node) => [
    node.facts.name,
    node.id,
    labelsText(node),
    node.facts.kernel,
    node.lastSeenAt ?? 'never',
    healthOf(node),
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
        ['labels', labelsText(node)],
        ['kernel', `${facts.kernel} ${facts.arch}`],
        ['agent', facts.agent],
        ['key', node.key],
        ['key since', node.keySince],
        ['enrolled', node.enrolledAt],
        ['last seen', node.lastSeenAt ?? 'never'],
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

const labelsText = ({ facts }: NodeView): string =>
  Object.entries(facts.labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')

function healthOf({ observed }: NodeView): string {
  if (observed === undefined) return 'no report yet'
  const failed = observed.functions.filter(({ error }) => error !== undefined).length + observed.errors.length
  return failed === 0 ? 'ok' : counted(failed, 'error')
}
