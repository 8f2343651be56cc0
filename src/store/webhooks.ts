import { randomUUID } from 'node:crypto'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { DeliveryView, WebhookView } from '../domain/webhook.ts'
import type { DeliveryResult, DueDelivery, WebhookOwner, Webhooks } from '../ports/webhooks.ts'
import { actorName, audit, type Database, lockOne, type Transaction } from './database.ts'
import type { Webhook, WebhookDelivery } from './generated/client.ts'
import { namespaceOf } from './namespaces.ts'

/** Webhooks in the database. */
export function databaseWebhooks({ prisma, transact }: Database): Webhooks {
  /** A webhook of this owner. Throws `not_found`. */
  const find = async (
    client: Pick<Transaction, 'webhook'>,
    owner: WebhookOwner,
    id: string,
  ): Promise<Webhook> => {
    const found = await client.webhook.findFirst({ where: { id, ...ownedBy(owner) } })
    if (found === null) throw new DomainError('not_found', `there is no webhook ${id}`)
    return found
  }
  return {
    add: (owner, { url, events }, secret, by) =>
      transact(async (transaction) => {
        const namespaceId = owner === undefined ? null : (await namespaceOf(transaction, owner)).id
        await lockOne(transaction, namespaceId ?? 'webhooks')
        const count = await transaction.webhook.count({ where: { namespaceId } })
        if (count >= LIMITS.webhooks)
          throw new DomainError('too_many', `there are ${count} webhooks, at most ${LIMITS.webhooks}`)
        const id = randomUUID()
        // before it is there: it does not hear of itself
        await audit(transaction, by, 'webhook.add', id, { after: { url, events } }, owner)
        const row = await transaction.webhook.create({
          data: {
            ...{ id, namespaceId, url, events: [...new Set(events)], secret: new Uint8Array(secret) },
            createdBy: actorName(by),
          },
        })
        return webhookView(row)
      }),
    list: async (owner) => {
      if (owner !== undefined) await namespaceOf(prisma, owner)
      const rows = await prisma.webhook.findMany({ where: ownedBy(owner), orderBy: { createdAt: 'asc' } })
      return rows.map(webhookView)
    },
    remove: (owner, id, by) =>
      transact(async (transaction) => {
        const { url, events } = await find(transaction, owner, id)
        await transaction.webhook.delete({ where: { id } })
        await audit(transaction, by, 'webhook.remove', id, { before: { url, events } }, owner)
      }),
    deliveries: async (owner, id, limit) => {
      await find(prisma, owner, id)
      const rows = await prisma.webhookDelivery.findMany({
        where: { webhookId: id },
        orderBy: [{ createdAt: 'desc' }, { id: 'desc' }],
        take: limit,
      })
      return rows.map(deliveryView)
    },
    redeliver: (owner, id, delivery) =>
      transact(async (transaction) => {
        await find(transaction, owner, id)
        await enable(transaction, id)
        const { count } = await transaction.webhookDelivery.updateMany({
          where: { id: delivery, webhookId: id },
          data: { nextAt: new Date(), attempts: 0 },
        })
        if (count === 0) throw new DomainError('not_found', `webhook ${id} has no delivery ${delivery}`)
        return deliveryView(await transaction.webhookDelivery.findUniqueOrThrow({ where: { id: delivery } }))
      }),
    test: (owner, id) =>
      transact(async (transaction) => {
        await find(transaction, owner, id)
        await enable(transaction, id)
        const event = 'webhook.test'
        const body = JSON.stringify({ type: event, timestamp: new Date().toISOString(), data: {} })
        const data = { id: randomUUID(), webhookId: id, event, body, nextAt: new Date() }
        return deliveryView(await transaction.webhookDelivery.create({ data }))
      }),
    claim: async (now, leaseUntil, most) => {
      const rows = await prisma.$queryRaw<
        { id: string; webhook_id: string; url: string; secret: Uint8Array; body: string; attempts: number }[]
      >`
        WITH "turn" AS MATERIALIZED (
          SELECT "d"."id", row_number() OVER (PARTITION BY "w"."namespace_id" ORDER BY "d"."next_at") AS "turn"
          FROM "webhook_delivery" "d" JOIN "webhook" "w" ON "w"."id" = "d"."webhook_id"
          WHERE "d"."next_at" <= ${now} AND "w"."disabled_at" IS NULL
        ), "due" AS (
          SELECT "d"."id" FROM "webhook_delivery" "d" JOIN "turn" USING ("id") WHERE "d"."next_at" <= ${now}
          ORDER BY "turn"."turn", "d"."next_at" LIMIT ${most} FOR UPDATE OF "d" SKIP LOCKED
        )
        UPDATE "webhook_delivery" "d" SET "next_at" = ${leaseUntil}, "attempts" = "d"."attempts" + 1
        FROM "due", "webhook" "w" WHERE "d"."id" = "due"."id" AND "w"."id" = "d"."webhook_id"
        RETURNING "d"."id", "d"."webhook_id", "w"."url", "w"."secret", "d"."body", "d"."attempts"`
      return rows.map(({ webhook_id, secret, ...row }) => ({
        ...{ ...row, webhookId: webhook_id, secret: Buffer.from(secret) },
      }))
    },
    settle: (delivery, result, now, hopeless) =>
      transact((transaction) => settle(transaction, delivery, result, now, hopeless)),
    prune: async (before) => {
      await prisma.webhookDelivery.deleteMany({ where: { nextAt: null, createdAt: { lt: before } } })
    },
  }
}

const ownedBy = (owner: WebhookOwner) =>
  owner === undefined ? { namespaceId: null } : { namespace: { name: owner } }

const enable = (transaction: Transaction, id: string): Promise<unknown> =>
  transaction.webhook.update({ where: { id }, data: { disabledAt: null, failingSince: null } })

async function settle(
  transaction: Transaction,
  { id, webhookId }: DueDelivery,
  { status, problem, durationMs, answer, delivered, retryAt }: DeliveryResult,
  now: Date,
  hopeless: Date,
): Promise<void> {
  // the webhook before its deliveries, as its removal does: in another order the two would wait for each other for ever
  await transaction.$executeRaw`SELECT 1 FROM "webhook" WHERE "id" = ${webhookId}::uuid FOR NO KEY UPDATE`
  const outcome = { status: status ?? null, problem: problem ?? null, answer: answer ?? null, durationMs }
  await transaction.webhookDelivery.updateMany({
    where: { id },
    data: { ...outcome, triedAt: now, nextAt: retryAt ?? null },
  })
  if (delivered) {
    await transaction.webhook.updateMany({ where: { id: webhookId }, data: { failingSince: null } })
    return
  }
  await transaction.webhook.updateMany({
    where: { id: webhookId, failingSince: null },
    data: { failingSince: now },
  })
  const given = await transaction.webhook.updateMany({
    where: { id: webhookId, failingSince: { lt: hopeless }, disabledAt: null },
    data: { disabledAt: now },
  })
  if (given.count === 0) return
  const row = await transaction.webhook.findUnique({
    where: { id: webhookId },
    select: { url: true, namespace: { select: { name: true } } },
  })
  const by = { kind: 'anonymous' } as const
  const changed = { after: { url: row?.url ?? '', problem: problem ?? `status ${status}` } }
  await audit(transaction, by, 'webhook.disable', webhookId, changed, row?.namespace?.name)
}

const iso = <K extends string>(name: K, at: Date | null): { [P in K]?: string } =>
  (at === null ? {} : { [name]: at.toISOString() }) as { [P in K]?: string }

const webhookView = ({ id, url, events, createdAt, createdBy, ...state }: Webhook): WebhookView => ({
  ...{ id, url, events, createdAt: createdAt.toISOString() },
  ...(createdBy === null ? {} : { createdBy }),
  ...iso('failingSince', state.failingSince),
  ...iso('disabledAt', state.disabledAt),
})

const deliveryView = (row: WebhookDelivery): DeliveryView => ({
  ...{ id: row.id, event: row.event, createdAt: row.createdAt.toISOString(), attempts: row.attempts },
  ...iso('nextAt', row.nextAt),
  ...iso('triedAt', row.triedAt),
  ...(row.status === null ? {} : { status: row.status }),
  ...(row.problem === null ? {} : { problem: row.problem }),
  ...(row.durationMs === null ? {} : { durationMs: row.durationMs }),
  ...(row.answer === null ? {} : { answer: row.answer }),
})
