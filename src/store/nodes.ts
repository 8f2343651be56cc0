import { z } from 'zod'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest } from '../domain/names.ts'
import { NodeFacts, type NodeView, Observed } from '../domain/node.ts'
import { type NodeOverview, NodeSummary, summaryOf } from '../domain/node-summary.ts'
import { JoinLabels, requireJoinLabels } from '../domain/token.ts'
import type { Nodes } from '../ports/nodes.ts'
import { audit, type Database, isDuplicate, type Transaction } from './database.ts'
import type { Prisma } from './generated/client.ts'
import { addJoinToken, joinTokens, revokeJoinToken } from './join-tokens.ts'
import { nodeActor, offerKey, promoteKey, takeRequest } from './node-keys.ts'

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

type Joining = Parameters<Nodes['enrol']>[0]

/** Nodes in the database. */
export function databaseNodes(database: Database): Nodes {
  const { prisma } = database
  let swept = 0
  return {
    addJoinToken: (token, by) => addJoinToken(database, token, by),
    joinTokens: (now, limit) => joinTokens(database, now, limit),
    revokeJoinToken: (id, by) => revokeJoinToken(database, id, by),
    enrol: (node, tokenHash, now) => enrol(database, node, tokenHash, now),
    find: async (id) => {
      if (!UUID.test(id)) return undefined // the column would refuse it with an error of its own
      const row = await prisma.node.findUnique({ where: { id } })
      if (row === null) return undefined
      return {
        ...{ id, spki: Buffer.from(row.spki), facts: NodeFacts.parse(row.facts) },
        ...(row.nextSpki === null ? {} : { nextSpki: Buffer.from(row.nextSpki) }),
        ...(row.retiredSpki === null ? {} : { retiredSpki: Buffer.from(row.retiredSpki) }),
      }
    },
    offerKey: (id, keys) => offerKey(database, id, keys),
    promoteKey: (...promotion) => promoteKey(database, ...promotion),
    report: async (nodeId, observed, receivedAt) => {
      const [whole, summary] = [observed, summaryOf(observed)].map((part) => JSON.parse(JSON.stringify(part)))
      const data = { observed: whole, summary, receivedAt }
      await prisma.nodeObserved.upsert({ where: { nodeId }, create: { nodeId, ...data }, update: data })
    },
    takeRequest: async (id, request) => {
      const now = Date.now()
      if (now - swept > LIMITS.nonce_sweep_ms) {
        swept = now
        await prisma.nodeNonce.deleteMany({ where: { expiresAt: { lt: new Date(now) } } })
      }
      return takeRequest(database, id, request)
    },
    remove: (id, by) =>
      database.change(async (transaction) => {
        const row = await transaction.node.findUnique({ where: { id } })
        if (row === null) throw new DomainError('not_found', `there is no node ${id}`)
        await transaction.nodeObserved.deleteMany({ where: { nodeId: id } })
        await transaction.node.delete({ where: { id } })
        await audit(transaction, by, 'node.remove', row.name, { before: { id, key: row.fingerprint } })
      }),
    list: async () => {
      const rows = await prisma.node.findMany({ orderBy: { name: 'asc' }, include: { observed: true } })
      return rows.map(viewOf)
    },
    view: async (id) => {
      const row = UUID.test(id)
        ? await prisma.node.findUnique({ where: { id }, include: { observed: true } })
        : null
      if (row === null) throw new DomainError('not_found', `there is no node ${id}`)
      return viewOf(row)
    },
    reportedAt: async (nodeId) => {
      if (!UUID.test(nodeId)) return undefined
      const row = await prisma.nodeObserved.findUnique({ where: { nodeId }, select: { receivedAt: true } })
      return row?.receivedAt
    },
    overview: () => readOverview(database),
  }
}

type NodeRow = Prisma.NodeGetPayload<{ include: { observed: true } }>

const viewOf = ({ id, facts, fingerprint, keySince, enrolledAt, observed }: NodeRow): NodeView => ({
  id,
  facts: NodeFacts.parse(facts),
  key: Digest.parse(fingerprint),
  keySince: keySince.toISOString(),
  enrolledAt: enrolledAt.toISOString(),
  ...(observed === null
    ? {}
    : {
        lastSeenAt: observed.receivedAt.toISOString(),
        observed: Observed.parse(observed.observed),
      }),
})

/** A node in a list, as the database puts it together. */
const OverviewRow = z.object({
  id: z.string(),
  facts: NodeFacts,
  seen: z.string().nullable(),
  summary: NodeSummary.nullable(),
})

/** One text for all nodes: reading a thousand of them row by row would take three times as long. */
async function readOverview({ prisma }: Database): Promise<NodeOverview[]> {
  const [answer] = await prisma.$queryRaw<{ all: string }[]>`
    SELECT COALESCE(json_agg(json_build_object(
      'id', "node"."id", 'facts', "facts", 'seen', "received_at", 'summary', "summary") ORDER BY "name"), '[]')::text AS "all"
    FROM "node" LEFT JOIN "node_observed" ON "node_id" = "node"."id"`
  const rows = z.array(OverviewRow).parse(JSON.parse(answer?.all ?? '[]'))
  const bare = rows.filter(({ seen, summary }) => seen !== null && summary === null)
  const whole =
    bare.length === 0
      ? []
      : await prisma.nodeObserved.findMany({ where: { nodeId: { in: bare.map(({ id }) => id) } } })
  const older = new Map(
    whole.map(({ nodeId, observed }) => [nodeId, summaryOf(Observed.parse(observed))] as const),
  )
  return rows.map(({ id, facts, seen, summary }) => {
    const known = summary ?? older.get(id)
    return {
      ...{ id, facts },
      ...(seen === null ? {} : { lastSeenAt: new Date(seen).toISOString() }),
      ...(known === undefined ? {} : { summary: known }),
    }
  })
}

async function enrol({ change }: Database, node: Joining, tokenHash: Buffer, now: Date): Promise<string> {
  try {
    return await change(async (transaction) => {
      const token = await transaction.joinToken.findUnique({ where: { hash: new Uint8Array(tokenHash) } })
      if (token === null) throw new DomainError('join_token_refused', 'the join token is not known here')
      if (token.expiresAt <= now)
        throw new DomainError(
          'join_token_refused',
          `the join token expired at ${token.expiresAt.toISOString()}`,
        )
      const { labels, freeLabels } = token
      requireJoinLabels(JoinLabels.parse({ labels, freeLabels }), node.facts.labels)
      const known = await transaction.node.findUnique({ where: { name: node.facts.name } })
      if (known === null) return addNode(transaction, node, token.id)
      if (known.fingerprint !== node.fingerprint)
        throw new DomainError('node_exists', `node "${node.facts.name}" is known by another key`)
      const unchanged = JSON.stringify(NodeFacts.parse(known.facts)) === JSON.stringify(node.facts)
      if (!unchanged) {
        await countUse(transaction, token.id)
        await transaction.node.update({ where: { id: known.id }, data: { facts: node.facts } })
        await audit(transaction, nodeActor(known, node.address), 'node.facts', known.name, {
          before: NodeFacts.parse(known.facts),
          after: node.facts,
        })
      }
      return known.id
    })
  } catch (cause) {
    if (isDuplicate(cause))
      throw new DomainError('node_exists', `node "${node.facts.name}" joined this very moment`, { cause })
    throw cause
  }
}

async function addNode(transaction: Transaction, node: Joining, tokenId: string): Promise<string> {
  await countUse(transaction, tokenId)
  const { name } = node.facts
  const { id } = await transaction.node.create({
    data: { name, fingerprint: node.fingerprint, spki: new Uint8Array(node.spki), facts: node.facts },
  })
  const { labels } = node.facts
  await audit(transaction, nodeActor({ id, name }, node.address), 'node.enrol', name, {
    after: { joinToken: tokenId, id, key: node.fingerprint, labels },
  })
  return id
}

/** Takes one use, if one is left; the row is locked by the update, so that no two nodes get the last one. */
async function countUse(transaction: Transaction, id: string): Promise<void> {
  const taken = await transaction.$executeRaw`
    UPDATE "join_token" SET "uses" = "uses" + 1 WHERE "id" = ${id}::uuid AND "uses" < "max_uses"`
  if (taken === 0) throw new DomainError('join_token_refused', 'the join token is used up')
}
