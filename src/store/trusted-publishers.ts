import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import {
  type CiRun,
  isRunOf,
  type TrustedPublisher,
  type TrustedPublisherView,
  workloadRights,
} from '../domain/trusted-publisher.ts'
import type { Exchange, TrustedPublishers } from '../ports/trusted-publishers.ts'
import { audit, type Database, isDuplicate, lockOne, type Transaction } from './database.ts'
import type { TrustedPublisher as Row } from './generated/client.ts'
import { namespaceOf } from './namespaces.ts'

const GIVEN = ['publish-new', 'publish-update']

/** Trusted publishers in the database. */
export function databaseTrustedPublishers({ prisma, transact }: Database): TrustedPublishers {
  return {
    list: async (namespace) => {
      const { id } = await namespaceOf(prisma, namespace)
      const rows = await prisma.trustedPublisher.findMany({
        where: { namespaceId: id },
        orderBy: [{ program: 'asc' }, { id: 'asc' }],
      })
      return rows.map(viewOf)
    },
    add: (namespace, { program: name, ...publisher }, by) =>
      transact(async (transaction) => {
        const { id: namespaceId } = await namespaceOf(transaction, namespace)
        await lockOne(transaction, namespaceId)
        const program = `${namespace}/${name}`
        const { environment = null, ref = null, ...rest } = publisher
        const data = { ...rest, environment, ref }
        if ((await transaction.trustedPublisher.findFirst({ where: { program, ...data } })) !== null)
          throw new DomainError('publisher_exists', `${program} has this trusted publisher already`)
        for (const [where, most, what] of [
          [{ program }, LIMITS.program_publishers, program],
          [{ namespaceId }, LIMITS.namespace_publishers, namespace],
        ] as const) {
          const count = await transaction.trustedPublisher.count({ where })
          if (count >= most)
            throw new DomainError('too_many', `${what} has ${count} trusted publishers, at most ${most}`)
        }
        const row = await transaction.trustedPublisher.create({ data: { namespaceId, program, ...data } })
        await audit(transaction, by, 'program.publisher.add', program, { after: { ...viewOf(row) } })
        return viewOf(row)
      }),
    remove: (namespace, id, by) =>
      transact(async (transaction) => {
        const row = await transaction.trustedPublisher.findFirst({
          where: { id, namespace: { name: namespace } },
        })
        if (row === null)
          throw new DomainError('not_found', `namespace "${namespace}" has no trusted publisher ${id}`)
        await transaction.trustedPublisher.delete({ where: { id } })
        await audit(transaction, by, 'program.publisher.remove', row.program, { before: { ...viewOf(row) } })
      }),
    exchange: (exchange, address) => transact((transaction) => redeem(transaction, exchange, address)),
  }
}

async function redeem(
  transaction: Transaction,
  { program, run, digest, expiresAt, token }: Exchange,
  address: string | undefined,
): Promise<string> {
  const now = new Date()
  await transaction.usedIdToken.deleteMany({ where: { expiresAt: { lt: now } } })
  try {
    await transaction.usedIdToken.create({ data: { digest: new Uint8Array(digest), expiresAt } })
  } catch (thrown) {
    if (!isDuplicate(thrown)) throw thrown
    throw new DomainError('id_token_replayed', 'the identity token was exchanged before')
  }
  const rows = await transaction.trustedPublisher.findMany({
    where: { program, repository: run.repository },
    orderBy: { id: 'asc' },
    include: { namespace: true },
  })
  const row = rows.find((candidate) => isRunOf(publisherOf(candidate), run))
  // the same whether or not there is such a program: nobody finds out by asking
  if (row === undefined)
    throw new DomainError(
      'no_trusted_publisher',
      `no trusted publisher of ${program} is ${run.repository}, ${run.workflow || 'another repository’s workflow'}, ${run.ref}${run.environment === undefined ? '' : `, environment ${run.environment}`}`,
    )
  // of two first runs at once only one says who it is
  const pinned = await transaction.trustedPublisher.updateMany({
    where: {
      id: row.id,
      OR: [{ ownerId: null }, { ownerId: run.ownerId, repositoryId: run.repositoryId }],
    },
    data: { ownerId: run.ownerId, repositoryId: run.repositoryId },
  })
  if (pinned.count === 0)
    throw new DomainError('no_trusted_publisher', `${program}: another run was the first`)
  await transaction.token.deleteMany({ where: { publisherId: row.id, expiresAt: { lt: now } } })
  const { id } = await transaction.token.create({
    data: {
      ...{ hash: new Uint8Array(token.hash), publisherId: row.id, scopes: GIVEN, programs: [program] },
      ...{ note: run.ref, expiresAt: token.expiresAt },
    },
  })
  const account = workloadRights(row, row.namespace.name)
  const actor = { kind: 'token', id, account, scopes: [], programs: [program], expiresAt, address } as const
  await audit(transaction, actor, 'program.publisher.use', program, {
    after: { publisher: row.id, token: id, ...namedParts(run) },
  })
  return id
}

const namedParts = ({ repository, workflow, ref, environment, event }: CiRun) => ({
  ...{ repository, workflow, ref },
  ...(environment === undefined ? {} : { environment }),
  ...(event === undefined ? {} : { event }),
})

const publisherOf = (row: Row): TrustedPublisher => ({
  ...{
    id: row.id,
    provider: row.provider,
    issuer: row.issuer,
    repository: row.repository,
    workflow: row.workflow,
  },
  environment: row.environment ?? undefined,
  ref: row.ref ?? undefined,
  repositoryId: row.repositoryId ?? undefined,
  ownerId: row.ownerId ?? undefined,
})

const viewOf = (row: Row): TrustedPublisherView => ({
  ...{ id: row.id, program: row.program, provider: row.provider, issuer: row.issuer },
  ...{ repository: row.repository, workflow: row.workflow },
  ...(row.environment === null ? {} : { environment: row.environment }),
  ...(row.ref === null ? {} : { ref: row.ref }),
  pinned: row.ownerId !== null,
  createdAt: row.createdAt.toISOString(),
})
