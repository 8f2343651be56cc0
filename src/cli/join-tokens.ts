import { DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import { shellWord } from '../domain/shell-word.ts'
import type { JoinLabels } from '../domain/token.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { timeText } from './terminal.ts'

/** Flags of `hookline node token`; times in seconds. */
export interface JoinTokenFlags {
  readonly ttl?: number | undefined
  readonly uses?: number | undefined
  readonly label: Labels
  readonly freeLabel: JoinLabels['freeLabels']
}

/** Makes a token by which nodes may join. Its secret is shown this once. Throws `usage` for a label that has one value and any. */
export async function createJoinToken(
  { ttl, uses, label, freeLabel, ...flags }: RegistryFlags & JoinTokenFlags,
  { io }: Context,
): Promise<Outcome> {
  const both = freeLabel.find((key) => Object.hasOwn(label, key))
  if (both !== undefined)
    throw new DomainError(
      'usage',
      `--free-label ${both}: --label says its value already; leave one of them out`,
    )
  const client = await connectWithToken(io, flags)
  const made = await client.createJoinToken({
    ...(ttl === undefined ? {} : { ttl_s: ttl }),
    ...(uses === undefined ? {} : { maxUses: uses }),
    ...{ labels: label, freeLabels: freeLabel },
  })
  const labels = Object.entries(label).map(([key, value]) => ` --label ${key}=${shellWord(value)}`)
  return {
    json: made,
    text: renderFields([
      ['join token', made.secret],
      ['id', made.id],
      ['expires', timeText(made.expiresAt)],
      [
        'on the node',
        `HOOKLINE_JOIN_TOKEN=<token> hookline agent --registry <url> --trust <trust.yaml>${labels.join('')}`,
      ],
    ]),
  }
}

/** Lists the tokens by which nodes still can join. */
export async function listJoinTokens(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const joinTokens = await (await connectWithToken(io, flags)).joinTokens()
  const rows = joinTokens.map(({ id, maxUses, uses, expiresAt, createdBy, ...allowed }) => [
    ...[
      id,
      labelsText(allowed),
      `${maxUses - uses} of ${maxUses}`,
      timeText(expiresAt),
      createdBy ?? 'unknown',
    ],
  ])
  const head = ['id', 'labels', 'uses left', 'expires', 'made by']
  return {
    json: { joinTokens },
    text:
      rows.length === 0 ? 'no node can join: every token is used up or over' : renderTable(io, head, rows),
  }
}

/** Ends a token by which nodes can join. Throws `not_found`. */
export async function revokeJoinToken(
  { id, ...flags }: RegistryFlags & { id: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).revokeJoinToken(id)
  return { json: { id }, text: `no node joins by ${id} any more; those that did stay` }
}

/** Which labels nodes may have: `role=edge`, and `rack=?` for one whose value they choose. */
const labelsText = ({ labels, freeLabels }: JoinLabels): string =>
  [
    ...Object.entries(labels).map(([key, value]) => `${key}=${value}`),
    ...freeLabels.map((key) => (key === '*' ? 'any' : `${key}=?`)),
  ].join(',') || 'none'
