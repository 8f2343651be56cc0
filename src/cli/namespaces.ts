import type { Role } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { Digest } from '../domain/names.ts'
import type { KeyView, MemberView, NamespaceView, RobotRequest } from '../domain/namespace.ts'
import type { Context, Outcome } from './io.ts'
import { readPublicKey } from './key-file.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { bytesText, timeText } from './terminal.ts'

/** Makes a namespace. Throws `namespace_exists`, `name_look_alike`, `name_reserved`. */
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

/** Shows whose a namespace is, and, for members, what it holds. Throws `not_found`. */
export async function showNamespace(
  { name, ...flags }: RegistryFlags & { name: string },
  { io }: Context,
): Promise<Outcome> {
  const view = await (await connect(io, flags)).namespace(name)
  return { json: view, text: renderFields(namespaceFields(view)) }
}

const namespaceFields = ({
  name,
  createdAt,
  verified,
  role,
  usage,
}: NamespaceView): [string, string | undefined][] => [
  ['namespace', name],
  ['since', timeText(createdAt)],
  ['verified', verified.map(({ kind, of, at }) => `${of} (${kind}, ${timeText(at)})`).join(', ') || 'no'],
  ['your role', role],
  ['programs', usage && `${usage.programs} of ${usage.mostPrograms}`],
  ['bytes', usage && `${bytesText(usage.bytes)} of ${bytesText(usage.mostBytes)}`],
]

/**
 * Proves whose a namespace is; without a domain or repository, says what to put where. Throws `proof_missing`,
 * `proof_unreachable`, `usage`.
 */
export async function verifyNamespace(
  {
    name,
    dns,
    repository,
    ...flags
  }: RegistryFlags & { name: string; dns?: string | undefined; repository?: string | undefined },
  { io }: Context,
): Promise<Outcome> {
  if (dns !== undefined && repository !== undefined)
    throw new DomainError('usage', 'give --dns or --repository, not both')
  const client = await connectWithToken(io, flags)
  if (dns === undefined && repository === undefined) {
    const challenge = await client.challenge(name)
    const { text, dns: record, file } = challenge
    return { json: challenge, text: `put this text into ${record}, or into ${file}:\n\n  ${text}` }
  }
  const proof =
    dns === undefined
      ? { kind: 'repository' as const, of: repository ?? '' }
      : { kind: 'dns' as const, of: dns }
  const view = await client.prove(name, proof)
  return { json: view, text: `${name} is verified: ${proof.of}` }
}

/** Lists the namespaces that the caller is a member of. */
export async function listNamespaces(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const namespaces = await (await connectWithToken(io, flags)).namespaces()
  const rows = namespaces.map(({ namespace, role }) => [namespace, role])
  const none =
    'you are a member of no namespace; make one: hookline namespace create <name>, or see who invites you: hookline member invitations'
  return {
    json: { namespaces },
    text: rows.length === 0 ? none : renderTable(io, ['namespace', 'role'], rows),
  }
}

/** Declines an invitation, or ends the caller's own membership. Throws `not_found`, `last_owner`. */
export async function leaveNamespace(
  { name, ...flags }: RegistryFlags & { name: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).leave(name)
  return { json: { name }, text: `you have left ${name}` }
}

/** Lists a namespace's members and those invited. */
export async function listMembers(
  { namespace, ...flags }: RegistryFlags & { namespace: string },
  { io }: Context,
): Promise<Outcome> {
  const members = await (await connectWithToken(io, flags)).members(namespace)
  const rows = members.map(({ account, role, invited, since }) => [
    ...[account, role, invited ? 'invited' : 'member', timeText(since)],
  ])
  return { json: { members }, text: renderTable(io, ['account', 'role', 'state', 'since'], rows) }
}

/** Invites an account, or changes a member's role. Throws `not_found`, `last_owner`. */
export async function setMember(
  { namespace, account, role, ...flags }: RegistryFlags & { namespace: string; account: string; role: Role },
  { io }: Context,
): Promise<Outcome> {
  const member = await (await connectWithToken(io, flags)).putMember(namespace, account, role)
  return { json: member, text: memberText(namespace, member) }
}

/** Ends a membership, or takes an invitation back. Throws `not_found`, `last_owner`. */
export async function removeMember(
  { namespace, account, ...flags }: RegistryFlags & { namespace: string; account: string },
  { io }: Context,
): Promise<Outcome> {
  await (await connectWithToken(io, flags)).removeMember(namespace, account)
  return { json: { namespace, account }, text: `${account} is no longer in ${namespace}` }
}

/** Lists the caller's invitations. */
export async function listInvitations(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const invitations = await (await connectWithToken(io, flags)).invitations()
  const rows = invitations.map(({ namespace, role, invitedBy, expiresAt }) => [
    ...[namespace, role, invitedBy, timeText(expiresAt)],
  ])
  const head = ['namespace', 'role', 'invited by', 'good until']
  return { json: { invitations }, text: rows.length === 0 ? 'no invitations' : renderTable(io, head, rows) }
}

/** Accepts an invitation. Throws `not_found`. */
export async function acceptInvitation(
  { namespace, ...flags }: RegistryFlags & { namespace: string },
  { io }: Context,
): Promise<Outcome> {
  const member = await (await connectWithToken(io, flags)).acceptInvitation(namespace)
  return { json: member, text: memberText(namespace, member) }
}

const memberText = (namespace: string, { account, role, invited }: MemberView): string =>
  invited
    ? `${account} is invited to ${namespace} as ${role}; next, as ${account}: hookline member accept ${namespace}`
    : `${account} is ${role} of ${namespace}`

/** Makes a robot of a namespace. Throws `account_exists`. */
export async function createRobot(
  { namespace, name, role, ...flags }: RegistryFlags & RobotRequest & { namespace: string },
  { io }: Context,
): Promise<Outcome> {
  const robot = await (await connectWithToken(io, flags)).createRobot(namespace, { name, role })
  return {
    json: robot,
    text: `robot ${robot.account} is made; next: hookline token create --account ${robot.account} --scope publish-update`,
  }
}

/** Whose keys: those that sign a namespace's releases, or those that sign orders. */
export interface KeyOwner {
  readonly namespace?: string | undefined
  readonly operator: boolean
}

/** Lets a key sign a namespace's releases, or orders. Throws `invalid_key`, `file_unreadable`, `usage`. */
export async function addKey(
  {
    file,
    validFrom,
    validUntil,
    ...flags
  }: RegistryFlags &
    KeyOwner & { file: string; validFrom?: string | undefined; validUntil?: string | undefined },
  { io }: Context,
): Promise<Outcome> {
  const namespace = requireOwner(flags)
  const validity = {
    ...(validFrom === undefined ? {} : { validFrom }),
    ...(validUntil === undefined ? {} : { validUntil }),
  }
  if (namespace === undefined && Object.keys(validity).length > 0)
    throw new DomainError(
      'usage',
      'an operator’s key is good until it is removed: no --valid-from, --valid-until',
    )
  const key = await readPublicKey(file)
  const client = await connectWithToken(io, flags)
  const view =
    namespace === undefined ? await client.putOperatorKey(key) : await client.putKey(namespace, key, validity)
  const right = namespace === undefined ? 'may sign orders' : `may sign releases of ${namespace}`
  return { json: view, text: [`${key.fingerprint} ${right}`, ...validityText(view)].join(', ') }
}

const validityText = ({ validFrom, validUntil }: KeyView): string[] => [
  ...(validFrom === undefined ? [] : [`from ${timeText(validFrom)}`]),
  ...(validUntil === undefined ? [] : [`until ${timeText(validUntil)}`]),
]

/** A key signs nothing new from then on, no release of a namespace, or no order. Throws `not_found`, `usage`. */
export async function removeKey(
  { fingerprint, ...flags }: RegistryFlags & KeyOwner & { fingerprint: Digest },
  { io }: Context,
): Promise<Outcome> {
  const namespace = requireOwner(flags)
  const client = await connectWithToken(io, flags)
  if (namespace === undefined) await client.removeOperatorKey(fingerprint)
  else await client.removeKey(namespace, fingerprint)
  return { json: { fingerprint }, text: `${fingerprint} signs nothing new of ${namespace ?? 'the fleet'}` }
}

/** Lists the keys that may sign. Throws `usage`. */
export async function listKeys(flags: RegistryFlags & KeyOwner, { io }: Context): Promise<Outcome> {
  const namespace = requireOwner(flags)
  const client = await connect(io, flags)
  const keys: KeyView[] = namespace === undefined ? await client.operatorKeys() : await client.keys(namespace)
  const rows = keys.map((key) => [
    key.fingerprint,
    timeText(key.addedAt),
    validityText(key).join(', ') || 'until removed',
  ])
  return {
    json: { keys },
    text:
      keys.length === 0
        ? 'no keys; add one: hookline key add <key.pub.pem>'
        : renderTable(io, ['key', 'added', 'valid'], rows),
  }
}

/** The namespace, or undefined for operators. */
function requireOwner({ namespace, operator }: KeyOwner): string | undefined {
  if ((namespace === undefined) === !operator)
    throw new DomainError('usage', 'say whose key: --namespace <name>, or --operator')
  return namespace
}
