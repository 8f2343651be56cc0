import type { TokenOwner } from '../client/registry-client.ts'
import {
  type AccountChange,
  type AccountRequest,
  type AccountView,
  SCOPES,
  type Scope,
} from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { Context, Outcome } from './io.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { timeText } from './terminal.ts'

/** Shows who the token is of, and what it may do. */
export async function whoAmI(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const me = await (await connectWithToken(io, flags)).whoAmI()
  return {
    json: me,
    text: renderFields([
      ['account', `${me.account} (${me.kind}${me.admin ? ', administrator' : ''})`],
      ['fleet', me.fleet],
      [
        'namespaces',
        me.memberships.map(({ namespace, role }) => `${namespace} (${role})`).join(', ') || 'none',
      ],
      ['scopes', me.token.scopes.join(', ')],
      ['programs', me.token.programs.join(', ')],
      ['expires', timeText(me.token.expiresAt)],
    ]),
  }
}

/** Lists accounts, for administrators. */
export async function listAccounts(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const client = await connectWithToken(io, flags)
  const accounts: AccountView[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await client.accounts(cursor)
    accounts.push(...page.accounts)
    cursor = page.next
    if (cursor === undefined) break
  }
  const rows = accounts.map(({ name, kind, admin, fleet, disabled }) => [
    ...[name, kind, admin ? 'yes' : 'no', fleet, disabled ? 'disabled' : 'active'],
  ])
  return { json: { accounts }, text: renderTable(io, ['account', 'kind', 'admin', 'fleet', 'state'], rows) }
}

/** Makes an account. Throws `account_exists`, `name_look_alike`, `name_reserved`. */
export async function createAccount(
  { url, token, tokenFile, ...request }: RegistryFlags & AccountRequest,
  { io }: Context,
): Promise<Outcome> {
  const view = await (await connectWithToken(io, { url, token, tokenFile })).createAccount(request)
  return {
    json: view,
    text: `account ${view.name} is made; next: hookline token create --account ${view.name} --scope ${firstScopes(request)}`,
  }
}

/** What a new account's token is likely to be for: giving orders, or publishing. */
const firstScopes = ({ fleet }: AccountRequest): string =>
  fleet === 'operator'
    ? 'read,node,order'
    : fleet === 'viewer'
      ? 'read'
      : 'read,publish-new,publish-update,yank,manage'

/** Changes what an account may do. Throws `usage` when nothing is to change, `last_admin`. */
export async function changeAccount(
  { url, token, tokenFile, name, ...change }: RegistryFlags & AccountChange & { name: string },
  { io }: Context,
): Promise<Outcome> {
  if (Object.values(change).every((value) => value === undefined))
    throw new DomainError('usage', 'say what to change: --fleet, --admin, --disabled')
  const view = await (await connectWithToken(io, { url, token, tokenFile })).changeAccount(name, change)
  const rights = [
    `fleet ${view.fleet}`,
    ...(view.admin ? ['administrator'] : []),
    ...(view.disabled ? ['disabled'] : []),
  ]
  return { json: view, text: `account ${view.name}: ${rights.join(', ')}` }
}

/** Says who logs in as an account. Throws `not_found`, `account_exists`, `login_unavailable`. */
export async function linkLogin(
  { name, subject, ...flags }: RegistryFlags & { name: string; subject: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).linkLogin(name, subject)
  return { json: { name, subject }, text: `"${subject}" logs in as ${name}` }
}

/** What a new token is for. */
interface NewTokenFlags extends RegistryFlags {
  readonly scope?: readonly Scope[] | undefined
  readonly programs: readonly string[]
  readonly ttl?: number | undefined
  readonly note?: string | undefined
  /** Name of an account; a robot's has a dot. */
  readonly account?: string | undefined
}

/** Makes a token. Its secret is shown this once. Throws `usage`, `token_escalation`. */
export async function createToken(flags: NewTokenFlags, { io }: Context): Promise<Outcome> {
  if (flags.scope === undefined)
    throw new DomainError('usage', `say what the token is for: --scope ${SCOPES.join(',')}`)
  const client = await connectWithToken(io, flags)
  const request = {
    scopes: [...flags.scope],
    programs: [...flags.programs],
    note: flags.note ?? '',
    ...(flags.ttl === undefined ? {} : { ttl_s: flags.ttl }),
  }
  const made = await client.createToken(request, ownerOf(flags.account))
  return {
    json: made,
    text: renderFields([
      ['token', made.secret],
      ['id', made.id],
      ['expires', timeText(made.expiresAt)],
    ]),
  }
}

function ownerOf(account: string | undefined): TokenOwner | undefined {
  if (account === undefined) return undefined
  const [namespace = '', robot] = account.split('.')
  return robot === undefined ? { account } : { namespace, robot }
}

/** Lists one's own tokens. */
export async function listTokens(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const tokens = await (await connectWithToken(io, flags)).tokens()
  const rows = tokens.map(({ id, note, scopes, programs, expiresAt, lastUsedAt }) => [
    ...[
      id,
      note,
      scopes.join(','),
      programs.join(','),
      timeText(expiresAt),
      lastUsedAt === undefined ? 'never' : timeText(lastUsedAt),
    ],
  ])
  const head = ['id', 'note', 'scopes', 'programs', 'expires', 'used']
  return { json: { tokens }, text: renderTable(io, head, rows) }
}

/** Ends a token of one's own. Throws `not_found`. */
export async function revokeToken(
  { id, ...flags }: RegistryFlags & { id: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).revokeToken(id)
  return { json: { id }, text: `token ${id} is revoked` }
}
