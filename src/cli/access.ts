import type { Grant, KeyView } from '../domain/access.ts'
import { DomainError } from '../domain/errors.ts'
import type { Context, Outcome } from './io.ts'
import { readPublicKey } from './key-file.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'

/** Makes a namespace. */
export async function createNamespace(
  { name, ...flags }: RegistryFlags & { name: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).createNamespace(name)
  return {
    json: { name },
    text: `namespace ${name} is made; next: hookline key add <key.pub.pem> --namespace ${name}`,
  }
}

/** Whose keys: those that sign a namespace's releases, or those that sign orders. */
export interface KeyOwner {
  readonly namespace?: string | undefined
  readonly operator: boolean
}

/** Lets a key sign a namespace's releases, or orders. Throws `invalid_key`, `file_unreadable`, `usage`. */
export async function addKey(
  { file, ...flags }: RegistryFlags & KeyOwner & { file: string },
  { io }: Context,
): Promise<Outcome> {
  const namespace = requireOwner(flags)
  const key = await readPublicKey(file)
  const client = await connectWithToken(io, flags)
  const view =
    namespace === undefined ? await client.putOperatorKey(key) : await client.putKey(namespace, key)
  const right = namespace === undefined ? 'may sign orders' : `may sign releases of ${namespace}`
  return { json: view, text: `${key.fingerprint} ${right}` }
}

/** Lists the keys that may sign. Throws `usage`. */
export async function listKeys(flags: RegistryFlags & KeyOwner, { io }: Context): Promise<Outcome> {
  const namespace = requireOwner(flags)
  const client = await connect(io, flags)
  const keys: KeyView[] = namespace === undefined ? await client.operatorKeys() : await client.keys(namespace)
  const rows = keys.map(({ fingerprint, addedAt }) => [fingerprint, addedAt])
  return { json: { keys }, text: keys.length === 0 ? 'no keys' : renderTable(io, ['key', 'added'], rows) }
}

/** What a new token may do; exactly one of the three. */
export interface GrantFlags {
  readonly publish?: readonly string[] | undefined
  readonly fleet: boolean
  readonly admin: boolean
}

/** Makes a token. Its secret is shown this once. Throws `usage`. */
export async function createToken(
  flags: RegistryFlags & GrantFlags & { ttl?: number | undefined; note?: string | undefined },
  { io }: Context,
): Promise<Outcome> {
  const client = await connectWithToken(io, flags)
  const made = await client.createToken({
    grant: grantOf(flags),
    note: flags.note ?? '',
    ...(flags.ttl === undefined ? {} : { ttl_s: flags.ttl }),
  })
  return {
    json: made,
    text: renderFields([
      ['token', made.secret],
      ['id', made.id],
      ['expires', made.expiresAt ?? 'never'],
    ]),
  }
}

function grantOf({ publish, fleet, admin }: GrantFlags): Grant {
  const grants: Grant[] = [
    ...(publish === undefined ? [] : [{ kind: 'publish' as const, namespaces: [...publish] }]),
    ...(fleet ? [{ kind: 'fleet' as const }] : []),
    ...(admin ? [{ kind: 'admin' as const }] : []),
  ]
  const [grant] = grants
  if (grant === undefined || grants.length > 1)
    throw new DomainError(
      'usage',
      'say what the token may do: one of --publish <namespaces>, --fleet, --admin',
    )
  return grant
}

/** The namespace, or undefined for operators. */
function requireOwner({ namespace, operator }: KeyOwner): string | undefined {
  if ((namespace === undefined) === !operator)
    throw new DomainError('usage', 'say whose key: --namespace <name>, or --operator')
  return namespace
}
