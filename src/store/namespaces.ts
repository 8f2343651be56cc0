import type { Actor, Role } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { lookOf } from '../domain/name-rules.ts'
import type { Digest } from '../domain/names.ts'
import type { IdentityView, MemberView } from '../domain/namespace.ts'
import { type ProofRequest, ProofView } from '../domain/proof.ts'
import type { IdentityRule } from '../domain/signer.ts'
import type { KeyValidity, Namespaces, StoredKey } from '../ports/namespaces.ts'
import { accountOf, addAccount } from './accounts.ts'
import { audit, type Database, lockAccounts, lockOne, type Transaction } from './database.ts'
import type { SigningIdentity } from './generated/client.ts'
import { storedKey } from './keys.ts'
import { isOpen, recordOwner, recordSigner } from './log-changes.ts'
import type { RegistryLogs } from './logs.ts'

/** Namespaces in the database. */
export function databaseNamespaces(database: Database, logs: RegistryLogs): Namespaces {
  const { prisma, transact, change } = database
  return {
    add: (name, by) => transact((transaction) => addNamespace(transaction, logs, name, by)),
    view: async (name) => {
      const { id: namespaceId, createdAt } = await namespaceOf(prisma, name)
      const proofs = await prisma.namespaceProof.findMany({ where: { namespaceId }, orderBy: { of: 'asc' } })
      const verified = proofs.map(({ kind, of, at }) => ProofView.parse({ kind, of, at: at.toISOString() }))
      return { name, createdAt: createdAt.toISOString(), verified }
    },
    usage: async (name) => {
      const { id: namespaceId } = await namespaceOf(prisma, name)
      const { storedBytes } = await prisma.namespace.findUniqueOrThrow({ where: { id: namespaceId } })
      return {
        ...{ programs: await prisma.program.count({ where: { namespaceId } }), bytes: Number(storedBytes) },
        ...{ mostPrograms: LIMITS.namespace_programs, mostBytes: LIMITS.namespace_bytes },
      }
    },
    challenge: async (name) => {
      const { id } = await namespaceOf(prisma, name)
      return (await prisma.namespace.findUniqueOrThrow({ where: { id } })).challenge
    },
    setProof: (...asked) => change((transaction) => setProof(transaction, ...asked)),
    isPublic: async (name) =>
      (await prisma.program.findFirst({
        where: { namespace: { name }, visibility: 'public', quarantined: null, latest: { not: '' } },
        select: { id: true },
      })) !== null,
    memberships: async (account) => {
      const rows = await prisma.member.findMany({
        where: { account: { name: account } },
        orderBy: { namespace: { name: 'asc' } },
        select: { role: true, namespace: { select: { name: true } } },
      })
      return rows.map(({ role, namespace }) => ({ namespace: namespace.name, role }))
    },
    keys: async (name) => {
      const { id } = await namespaceOf(prisma, name)
      const rows = await prisma.signingKey.findMany({
        where: { namespaceId: id, removedAt: null },
        orderBy: { fingerprint: 'asc' },
      })
      return rows.map(storedKey)
    },
    addKey: (namespace, key, by) => addKey(database, logs, namespace, key, by),
    removeKey: (namespace, fingerprint, by) =>
      transact(async (transaction) => {
        const { count } = await transaction.signingKey.updateMany({
          where: { namespace: { name: namespace }, fingerprint, removedAt: null },
          data: { removedAt: new Date() },
        })
        if (count === 0) throw new DomainError('not_found', `"${namespace}" has no key ${fingerprint}`)
        await audit(transaction, by, 'namespace.key.remove', namespace, { before: { fingerprint } })
        await recordSigner(transaction, logs, namespace, fingerprint, 'removed')
      }),
    identities: async (name) => {
      const { id: namespaceId } = await namespaceOf(prisma, name)
      const rows = await prisma.signingIdentity.findMany({ where: { namespaceId }, orderBy: { id: 'asc' } })
      return rows.map(identityView)
    },
    addIdentity: (...asked) => transact((transaction) => addIdentity(transaction, logs, ...asked)),
    removeIdentity: (namespace, id, by) =>
      transact(async (transaction) => {
        const row = await transaction.signingIdentity.findFirst({
          where: { id, namespace: { name: namespace } },
        })
        if (row === null) throw new DomainError('not_found', `"${namespace}" has no identity ${id}`)
        await transaction.signingIdentity.delete({ where: { id } })
        const { identity, issuer } = row
        await audit(transaction, by, 'namespace.identity.remove', namespace, { before: { identity, issuer } })
        await recordSigner(transaction, logs, namespace, { identity, issuer }, 'removed')
      }),
    members: async (namespace, now) => {
      const { id: namespaceId } = await namespaceOf(prisma, namespace)
      const account = { select: { name: true } }
      const [members, invited] = await Promise.all([
        prisma.member.findMany({ where: { namespaceId }, include: { account } }),
        prisma.invitation.findMany({ where: { namespaceId, expiresAt: { gt: now } }, include: { account } }),
      ])
      const views = [
        ...members.map((row) => memberView(row.account.name, row.role, row.since, false)),
        ...invited.map((row) => memberView(row.account.name, row.role, row.createdAt, true)),
      ]
      return views.sort((a, b) => (a.account < b.account ? -1 : 1))
    },
    setMember: (...asked) => transact((transaction) => setMember(transaction, logs, ...asked)),
    removeMember: (...asked) => transact((transaction) => removeMember(transaction, logs, ...asked)),
    invitations: async (account, now) => {
      const rows = await prisma.invitation.findMany({
        where: { account: { name: account }, expiresAt: { gt: now } },
        orderBy: { namespace: { name: 'asc' } },
        include: { namespace: { select: { name: true } } },
      })
      return rows.map(({ namespace, role, invitedBy, expiresAt }) => ({
        ...{ namespace: namespace.name, role, invitedBy },
        expiresAt: expiresAt.toISOString(),
      }))
    },
    acceptInvitation: (...asked) => transact((transaction) => accept(transaction, logs, ...asked)),
    leave: (namespace, account, by) =>
      transact(async (transaction) => {
        // who has nothing to do with it hears the same of a namespace that is not there
        const mine = { namespace: { name: namespace }, account: { name: account } }
        const bonds =
          (await transaction.member.count({ where: mine })) +
          (await transaction.invitation.count({ where: mine }))
        if (bonds === 0)
          throw new DomainError('not_found', `you are no member of "${namespace}", and not invited`)
        await removeMember(transaction, logs, namespace, account, by)
      }),
    addRobot: (namespace, { name, role }, by) =>
      transact(async (transaction) => {
        await lockAccounts(transaction)
        const { id: namespaceId } = await namespaceOf(transaction, namespace)
        await requireRoom(transaction, namespaceId, namespace)
        const robot = { name: `${namespace}.${name}`, kind: 'robot', admin: false, fleet: 'none' } as const
        await addAccount(transaction, robot, by)
        return addMember(transaction, logs, { id: namespaceId, name: namespace }, robot.name, role, by)
      }),
  }
}

const memberView = (account: string, role: Role, since: Date, invited: boolean): MemberView => ({
  ...{ account, role, invited },
  since: since.toISOString(),
})

/** The row of a namespace. Throws `not_found`. */
export async function namespaceOf(
  client: Pick<Transaction, 'namespace'>,
  name: string,
): Promise<{ id: string; createdAt: Date }> {
  const found = await client.namespace.findUnique({ where: { name }, select: { id: true, createdAt: true } })
  if (found === null) throw new DomainError('not_found', `there is no namespace "${name}"`)
  return found
}

async function addNamespace(
  transaction: Transaction,
  logs: RegistryLogs,
  name: string,
  by: Actor,
): Promise<void> {
  await lockAccounts(transaction)
  const look = lookOf(name)
  const other = await transaction.namespace.findUnique({ where: { look }, select: { name: true } })
  if (other?.name === name) throw new DomainError('namespace_exists', `namespace "${name}" exists already`)
  if (other !== null) {
    // one without a public program is not there to others
    const named = (await isOpen(transaction, other.name)) ? `namespace "${other.name}"` : 'another namespace'
    throw new DomainError('name_look_alike', `"${name}" looks like ${named}`)
  }
  const { id: namespaceId } = await transaction.namespace.create({ data: { name, look } })
  await audit(transaction, by, 'namespace.create', name, { after: { name } })
  if (by.kind !== 'token') return
  const owned = await transaction.member.count({ where: { accountId: by.account.id, role: 'owner' } })
  if (owned >= LIMITS.account_namespaces)
    throw new DomainError(
      'too_many',
      `"${by.account.name}" owns ${owned} namespaces, at most ${LIMITS.account_namespaces}`,
    )
  await addMember(transaction, logs, { id: namespaceId, name }, by.account.name, 'owner', by)
}

async function addKey(
  { transact }: Database,
  logs: RegistryLogs,
  namespace: string,
  key: { fingerprint: Digest; spki: Buffer } & KeyValidity,
  by: Actor,
): Promise<StoredKey> {
  return transact(async (transaction) => {
    const { id: namespaceId } = await namespaceOf(transaction, namespace)
    await lockOne(transaction, namespaceId)
    const { fingerprint, spki } = key
    const validity = { validFrom: key.validFrom ?? null, validUntil: key.validUntil ?? null }
    const others = await transaction.signingKey.count({
      where: { namespaceId, removedAt: null, fingerprint: { not: fingerprint } },
    })
    if (others >= LIMITS.namespace_keys)
      throw new DomainError(
        'too_many',
        `"${namespace}" has ${others} keys, at most ${LIMITS.namespace_keys}: remove one that signs no more`,
      )
    const added = await transaction.signingKey.createMany({
      data: [{ namespaceId, fingerprint, spki: new Uint8Array(spki), ...validity }],
      skipDuplicates: true,
    })
    const again = await transaction.signingKey.updateMany({
      where: { namespaceId, fingerprint, removedAt: { not: null } },
      data: { removedAt: null, addedAt: new Date() },
    })
    const where = { namespaceId_fingerprint: { namespaceId, fingerprint } }
    const before = storedKey(await transaction.signingKey.findUniqueOrThrow({ where }))
    const row = await transaction.signingKey.update({ where, data: validity })
    if (added.count + again.count > 0) {
      const after = { fingerprint, ...validityText(storedKey(row)) }
      await audit(transaction, by, 'namespace.key.add', namespace, { after })
      await recordSigner(transaction, logs, namespace, fingerprint, 'added')
    }
    const [was, is] = [before, storedKey(row)].map(validityText)
    if (JSON.stringify(was) !== JSON.stringify(is))
      await audit(transaction, by, 'namespace.key.change', namespace, {
        before: { fingerprint, ...was },
        after: { fingerprint, ...is },
      })
    return storedKey(row)
  })
}

const validityText = ({ validFrom, validUntil }: KeyValidity) => ({
  ...(validFrom === undefined ? {} : { validFrom: validFrom.toISOString() }),
  ...(validUntil === undefined ? {} : { validUntil: validUntil.toISOString() }),
})

async function setProof(
  transaction: Transaction,
  name: string,
  { kind, of }: ProofRequest,
  at: Date | undefined,
  by: Actor,
): Promise<void> {
  const { id: namespaceId } = await namespaceOf(transaction, name)
  await lockOne(transaction, namespaceId)
  const where = { namespaceId, kind, of }
  const known = await transaction.namespaceProof.count({ where })
  if (at === undefined) {
    if (known === 0) return
    await transaction.namespaceProof.deleteMany({ where })
    await audit(transaction, by, 'namespace.proof.remove', name, { before: { kind, of } })
  } else if (known > 0) await transaction.namespaceProof.updateMany({ where, data: { at } })
  else {
    const count = await transaction.namespaceProof.count({ where: { namespaceId } })
    if (count >= LIMITS.namespace_proofs)
      throw new DomainError('too_many', `"${name}" has ${count} proofs, at most ${LIMITS.namespace_proofs}`)
    await transaction.namespaceProof.create({ data: { ...where, at } })
    await audit(transaction, by, 'namespace.proof.add', name, { after: { kind, of } })
  }
  const verified = (await transaction.namespaceProof.count({ where: { namespaceId } })) > 0
  await transaction.program.updateMany({ where: { namespaceId, verified: !verified }, data: { verified } })
}

const identityView = ({ id, identity, issuer, addedAt }: SigningIdentity): IdentityView => ({
  ...{ id, identity, issuer },
  addedAt: addedAt.toISOString(),
})

async function addIdentity(
  transaction: Transaction,
  logs: RegistryLogs,
  namespace: string,
  { identity, issuer }: IdentityRule,
  by: Actor,
): Promise<IdentityView> {
  const { id: namespaceId } = await namespaceOf(transaction, namespace)
  await lockOne(transaction, namespaceId)
  const known = await transaction.signingIdentity.findFirst({ where: { namespaceId, identity, issuer } })
  if (known !== null) return identityView(known)
  const count = await transaction.signingIdentity.count({ where: { namespaceId } })
  if (count >= LIMITS.namespace_identities)
    throw new DomainError(
      'too_many',
      `"${namespace}" has ${count} identities, at most ${LIMITS.namespace_identities}`,
    )
  const row = await transaction.signingIdentity.create({ data: { namespaceId, identity, issuer } })
  await audit(transaction, by, 'namespace.identity.add', namespace, { after: { identity, issuer } })
  await recordSigner(transaction, logs, namespace, { identity, issuer }, 'added')
  return identityView(row)
}

async function addMember(
  transaction: Transaction,
  logs: RegistryLogs,
  { id: namespaceId, name: namespace }: { id: string; name: string },
  account: string,
  role: Role,
  by: Actor,
): Promise<MemberView> {
  const { id: accountId } = await accountOf(transaction, account)
  const row = await transaction.member.create({ data: { namespaceId, accountId, role } })
  await audit(transaction, by, 'member.add', namespace, { after: { account, role } })
  await recordOwner(transaction, logs, namespace, account, { after: role })
  return memberView(account, role, row.since, false)
}

async function requireRoom(transaction: Transaction, namespaceId: string, namespace: string): Promise<void> {
  const where = { namespaceId }
  const count = (await transaction.member.count({ where })) + (await transaction.invitation.count({ where }))
  if (count >= LIMITS.namespace_members)
    throw new DomainError(
      'too_many',
      `"${namespace}" has ${count} members, at most ${LIMITS.namespace_members}`,
    )
}

async function requireOwner(transaction: Transaction, namespaceId: string, namespace: string): Promise<void> {
  const owners = { namespaceId, role: 'owner', account: { disabledAt: null } } as const
  if ((await transaction.member.count({ where: owners })) === 0)
    throw new DomainError('last_owner', `"${namespace}" would have no owner`)
}

async function setMember(
  transaction: Transaction,
  logs: RegistryLogs,
  namespace: string,
  account: string,
  role: Role,
  expiresAt: Date,
  by: Actor,
): Promise<MemberView> {
  await lockAccounts(transaction)
  const { id: namespaceId } = await namespaceOf(transaction, namespace)
  const { id: accountId, kind } = await accountOf(transaction, account)
  const key = { namespaceId_accountId: { namespaceId, accountId } }
  const member = await transaction.member.findUnique({ where: key })
  if (kind === 'robot' && (member === null || role === 'owner'))
    throw new DomainError('robot_not_allowed', `robot "${account}" may not be ${role} of "${namespace}"`)
  if (member !== null) {
    await transaction.member.update({ where: key, data: { role } })
    await requireOwner(transaction, namespaceId, namespace)
    await audit(transaction, by, 'member.change', namespace, {
      before: { account, role: member.role },
      after: { account, role },
    })
    await recordOwner(transaction, logs, namespace, account, { before: member.role, after: role })
    return memberView(account, role, member.since, false)
  }
  const before = await transaction.invitation.findUnique({ where: key })
  if (before === null) await requireRoom(transaction, namespaceId, namespace)
  const invitedBy = by.kind === 'token' ? by.account.name : by.kind
  const data = { role, invitedBy, expiresAt }
  const row = await transaction.invitation.upsert({
    where: key,
    create: { namespaceId, accountId, ...data },
    update: data,
  })
  await audit(transaction, by, 'member.invite', namespace, {
    ...(before === null ? {} : { before: { account, role: before.role } }),
    after: { account, role, expiresAt: expiresAt.toISOString() },
  })
  return memberView(account, role, row.createdAt, true)
}

async function removeMember(
  transaction: Transaction,
  logs: RegistryLogs,
  namespace: string,
  account: string,
  by: Actor,
): Promise<void> {
  await lockAccounts(transaction)
  const { id: namespaceId } = await namespaceOf(transaction, namespace)
  const { id: accountId } = await accountOf(transaction, account)
  const where = { namespaceId, accountId }
  const [member, invitation] = [
    await transaction.member.findFirst({ where }),
    await transaction.invitation.findFirst({ where }),
  ]
  const gone = member ?? invitation
  if (gone === null) throw new DomainError('not_found', `"${account}" is no member of "${namespace}"`)
  await transaction.invitation.deleteMany({ where })
  await transaction.member.deleteMany({ where })
  if (member !== null) await requireOwner(transaction, namespaceId, namespace)
  await audit(transaction, by, 'member.remove', namespace, { before: { account, role: gone.role } })
  if (member !== null) await recordOwner(transaction, logs, namespace, account, { before: member.role })
}

async function accept(
  transaction: Transaction,
  logs: RegistryLogs,
  namespace: string,
  account: string,
  now: Date,
  by: Actor,
): Promise<MemberView> {
  await lockAccounts(transaction)
  const where = { namespace: { name: namespace }, account: { name: account }, expiresAt: { gt: now } }
  const found = await transaction.invitation.findFirst({ where })
  if (found === null) throw new DomainError('not_found', `you have no invitation to "${namespace}"`)
  const { namespaceId, accountId, role } = found
  await transaction.invitation.deleteMany({ where: { namespaceId, accountId } })
  return addMember(transaction, logs, { id: namespaceId, name: namespace }, account, role, by)
}
