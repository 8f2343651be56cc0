import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import type { FunctionStep, FunctionView } from '../domain/fleet-function.ts'
import { Labels, orderName } from '../domain/function.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest, type ProgramId } from '../domain/names.ts'
import { BuildFacts } from '../domain/release.ts'
import { type Offered, programOf, type ResolvedUse, resolveUses, usesOf } from '../domain/resolution.ts'
import type { Fleet, FleetSnapshot, FunctionOutline, VerifiedOrder } from '../ports/fleet.ts'
import { audit, type Database, lockFleet, type Transaction } from './database.ts'
import {
  type HeadRow,
  readHeads,
  readOffered,
  readOutlines,
  resolvedOnly,
  StepResolutions,
} from './function-steps.ts'
import { storedKey } from './keys.ts'
import type { RegistryLogs } from './logs.ts'
import { readPolicyHeads } from './policies.ts'
import { BUNDLES, readFiles, readPlaces, releaseDescriptor } from './releases.ts'
import { keyOf } from './revocations.ts'

/** The fleet in the database. */
export function databaseFleet(database: Database, logs: RegistryLogs): Fleet {
  const { prisma, change } = database
  return {
    operatorKeys: async () => {
      const rows = await prisma.operatorKey.findMany({
        where: { removedAt: null },
        orderBy: { fingerprint: 'asc' },
      })
      return rows.map(storedKey)
    },
    removeOperatorKey: (fingerprint, by) =>
      change(async (transaction) => {
        const { count } = await transaction.operatorKey.updateMany({
          where: { fingerprint, removedAt: null },
          data: { removedAt: new Date() },
        })
        if (count === 0) throw new DomainError('not_found', `no operator has the key ${fingerprint}`)
        await audit(transaction, by, 'operator.key.remove', fingerprint, { before: { fingerprint } })
        const entry = { kind: 'operator', operator: fingerprint, change: 'removed' } as const
        await logs.record(transaction, entry, false)
      }),
    addOperatorKey: (key, by) =>
      change(async (transaction) => {
        const { fingerprint, spki } = key
        const added = await transaction.operatorKey.createMany({
          data: [{ fingerprint, spki: new Uint8Array(spki) }],
          skipDuplicates: true,
        })
        const again = await transaction.operatorKey.updateMany({
          where: { fingerprint, removedAt: { not: null } },
          data: { removedAt: null, addedAt: new Date() },
        })
        if (added.count + again.count > 0) {
          await audit(transaction, by, 'operator.key.add', fingerprint, { after: { fingerprint } })
          const entry = { kind: 'operator', operator: fingerprint, change: 'added' } as const
          await logs.record(transaction, entry, false)
        }
        return storedKey(await transaction.operatorKey.findUniqueOrThrow({ where: { fingerprint } }))
      }),
    functions: () =>
      database.readTogether(async (transaction) => viewsOf(transaction, await readHeads(transaction))),
    outlines: () => database.readTogether(outlinesOf),
    function: (name) => database.readTogether((transaction) => readFunction(transaction, name)),
    history: (name, limit) => readHistory(database, name, limit),
    putOrder: (order, by) => putOrder(database, order, by),
    snapshot: () => database.readTogether(readSnapshot),
  }
}

async function viewsOf(transaction: Transaction, heads: readonly HeadRow[]): Promise<FunctionView[]> {
  const versions = await readOffered(
    transaction,
    heads.flatMap(({ order }) => usesOf(order)),
  )
  return heads.map((head) => viewOf(head, versions))
}

const viewOf = (head: HeadRow, versions: ReadonlyMap<ProgramId, Offered[]>): FunctionView => ({
  name: head.name,
  revision: Number(head.revision),
  state: head.order.kind === 'apply' ? 'applied' : 'removed',
  envelope: head.envelope,
  appliedAt: head.appliedAt.toISOString(),
  resolutions: resolveUses(usesOf(head.order), versions),
})

async function outlinesOf(transaction: Transaction): Promise<FunctionOutline[]> {
  const outlines = await readOutlines(transaction)
  const versions = await readOffered(
    transaction,
    outlines.flatMap(({ order }) => usesOf(order)),
  )
  return outlines.map((outline) => ({
    ...outline,
    resolutions: resolveUses(usesOf(outline.order), versions),
  }))
}

const unknown = (name: string): DomainError => new DomainError('not_found', `there is no function "${name}"`)

async function readFunction(transaction: Transaction, name: string): Promise<FunctionView> {
  const [view] = await viewsOf(transaction, await readHeads(transaction, name))
  if (view === undefined) throw unknown(name)
  return view
}

async function readHistory({ prisma }: Database, name: string, limit: number): Promise<FunctionStep[]> {
  const newest = await prisma.functionStep.findMany({ where: { name }, orderBy: { id: 'desc' }, take: limit })
  if (newest.length === 0) throw unknown(name)
  const sizes = await prisma.$queryRaw<{ revision: bigint; bytes: number }[]>`
    SELECT "revision", octet_length("envelope") AS "bytes" FROM "function_revision"
    WHERE "name" = ${name} AND "revision" = ANY(${newest.map(({ revision }) => revision)})`
  const bytesOf = new Map(sizes.map(({ revision, bytes }) => [revision, bytes]))
  let room: number = LIMITS.history_bytes
  const steps = newest.filter(({ revision }, at) => {
    room -= bytesOf.get(revision) ?? 0
    return at === 0 || room >= 0
  })
  const revisions = await prisma.functionRevision.findMany({
    where: { name, revision: { in: steps.map(({ revision }) => revision) } },
    select: { revision: true, envelope: true },
  })
  const envelopes = new Map(revisions.map(({ revision, envelope }) => [revision, envelope]))
  return steps.map((row) => ({
    revision: Number(row.revision),
    envelope: envelopes.get(row.revision) ?? '',
    at: row.at.toISOString(),
    resolutions: StepResolutions.parse(row.resolutions),
  }))
}

async function putOrder(
  { change }: Database,
  { order, envelope, operator }: VerifiedOrder,
  by: Actor,
): Promise<FunctionView> {
  const name = orderName(order)
  return change(async (transaction) => {
    await lockFleet(transaction)
    const heads = await readHeads(transaction)
    const before = heads.find((head) => head.name === name)
    requireNext(heads, name, order)
    requireRoom(heads, name, order, envelope)
    const row = await transaction.functionRevision.create({
      data: {
        name,
        revision: BigInt(order.revision),
        kind: order.kind,
        order: JSON.parse(JSON.stringify(withoutConfig(order))),
        envelope,
        operator,
      },
    })
    const versions = await readOffered(transaction, usesOf(order))
    if (order.kind === 'apply') {
      const resolutions = resolvedOnly(resolveUses(usesOf(order), versions))
      await transaction.functionStep.create({ data: { name, revision: row.revision, resolutions } })
    }
    await audit(transaction, by, `function.${order.kind}`, name, {
      ...(before === undefined ? {} : { before: { revision: Number(before.revision) } }),
      after: { revision: order.revision, operator },
    })
    return viewOf({ name, revision: row.revision, order, envelope, appliedAt: row.appliedAt }, versions)
  })
}

function requireNext(heads: readonly HeadRow[], name: string, order: VerifiedOrder['order']): void {
  const head = heads.find((candidate) => candidate.name === name)
  if (head === undefined && order.kind === 'remove') throw unknown(name)
  if (head !== undefined && BigInt(order.revision) <= head.revision)
    throw new DomainError(
      'revision_conflict',
      `function "${name}" is at revision ${head.revision}, the order has ${order.revision}`,
    )
  const others = heads.filter((other) => other.name !== name && other.order.kind === 'apply')
  if (order.kind === 'apply' && others.length >= LIMITS.functions)
    throw new DomainError('too_large', `${LIMITS.functions} functions are in force, the most there may be`)
}

/** A desired state, and the list of all functions, must stay small enough to be sent: the order that is too much is refused. */
function requireRoom(
  heads: readonly HeadRow[],
  name: string,
  { kind }: VerifiedOrder['order'],
  envelope: string,
): void {
  const others = heads.filter((other) => other.name !== name && other.order.kind === 'apply')
  const bytes = others.reduce((sum, other) => sum + Buffer.byteLength(other.envelope), envelope.length)
  if (kind === 'apply' && bytes > LIMITS.orders_bytes)
    throw new DomainError(
      'too_large',
      `with this order the functions in force have ${bytes} bytes, at most ${LIMITS.orders_bytes}`,
    )
}

/** The order as it is asked about again and again. The envelope keeps all of it; the database is spared long lists. */
const withoutConfig = (order: VerifiedOrder['order']): VerifiedOrder['order'] =>
  order.kind === 'remove'
    ? order
    : {
        ...order,
        function: {
          ...order.function,
          instances: order.function.instances.map((instance) => ({ ...instance, config: {} })),
        },
      }

async function readSnapshot(transaction: Transaction): Promise<FleetSnapshot> {
  const heads = await readHeads(transaction)
  const uses = [...new Set(heads.flatMap(({ order }) => usesOf(order)))].sort()
  const resolutions = resolveUses(uses, await readOffered(transaction, uses))
  const selectors = await readSelectors(transaction)
  const operators = await transaction.operatorKey.findMany({ orderBy: { fingerprint: 'asc' } })
  return {
    heads: heads.map(({ name, order, envelope, appliedAt }) => ({
      order,
      envelope,
      appliedAt,
      selectors: selectors.get(name) ?? [],
    })),
    resolutions,
    releases: await readReleases(transaction, resolutions),
    revocations: await readRevocations(transaction, uses),
    operators: operators.map((row) => Buffer.from(row.spki)),
    policies: await readPolicyHeads(transaction),
  }
}

/** Revocations of the programs that ranges name, and of files, the newest first. */
async function readRevocations(
  transaction: Transaction,
  uses: readonly string[],
): Promise<FleetSnapshot['revocations']> {
  const rows = await transaction.revocation.findMany({
    where: { OR: [{ program: null }, { program: { in: uses.map(programOf) } }] },
    orderBy: [{ receivedAt: 'desc' }, { digest: 'asc' }],
    select: { program: true, envelope: true, spki: true, signer: true, byOperator: true },
  })
  return rows.map(({ program, envelope, spki, signer, byOperator }) => ({
    program: program ?? undefined,
    operator: byOperator && signer !== null ? Digest.parse(signer) : undefined,
    signed: { envelope, ...keyOf({ spki }) },
  }))
}

/** Every selector that a function ever had, by its name: a node that it once reached must learn that it no longer is. */
async function readSelectors(transaction: Transaction): Promise<Map<string, Labels[]>> {
  const rows = await transaction.$queryRaw<{ name: string; selector: string }[]>`
    SELECT DISTINCT "name", ("order"->'function'->'selector')::text AS "selector"
    FROM "function_revision" WHERE "kind" = 'apply'`
  const selectors = new Map<string, Labels[]>()
  for (const row of rows)
    selectors.set(row.name, [...(selectors.get(row.name) ?? []), Labels.parse(JSON.parse(row.selector))])
  return selectors
}

async function readReleases(
  transaction: Transaction,
  resolutions: readonly ResolvedUse[],
): Promise<FleetSnapshot['releases']> {
  const wanted = new Map<string, { ref: ProgramId; version: string }>()
  for (const { use, version } of resolutions)
    if (version !== undefined) {
      const ref = use.slice(0, use.indexOf('@'))
      wanted.set(`${ref}@${version}`, { ref, version })
    }
  if (wanted.size === 0) return []
  const rows = await transaction.release.findMany({
    where: { OR: [...wanted.values()].map(({ ref, version }) => ({ version, program: { ref } })) },
    select: {
      ...{ id: true, version: true, bundle: true, provenance: true, bundles: BUNDLES },
      ...{ built: true, signer: true, logIndex: true },
      program: { select: { ref: true } },
    },
    orderBy: [{ program: { ref: 'asc' } }, { version: 'asc' }],
  })
  const files = await readFiles(
    transaction,
    rows.map(({ id }) => id),
  )
  const places = await readPlaces(
    transaction,
    rows.map(({ logIndex }) => logIndex),
  )
  const signers = await transaction.signingKey.findMany({
    where: { fingerprint: { in: rows.flatMap(keysOf) } },
  })
  const spkiOf = new Map(signers.map(({ fingerprint, spki }) => [fingerprint, Buffer.from(spki)]))
  return rows.map((row) => {
    const signers = keysOf(row).flatMap((fingerprint) => spkiOf.get(fingerprint) ?? [])
    if (row.signer !== null && !spkiOf.has(row.signer))
      throw new DomainError('internal', `the key ${row.signer} is gone`)
    const ref = row.program.ref
    const logged = places.get(row.logIndex ?? -1n)
    return { descriptor: releaseDescriptor({ ...row, ref, files: files.get(row.id) ?? [], logged }), signers }
  })
}

/** The keys that signed a release, and, where a key of a namespace did, its provenance. */
const keysOf = ({
  signer,
  bundles,
  built,
}: {
  signer: string | null
  bundles: readonly { signer: string | null }[]
  built: unknown
}): string[] => {
  const builder = built === null ? undefined : BuildFacts.parse(built).signer
  return [signer, ...bundles.map((one) => one.signer), builder].filter((one) => typeof one === 'string')
}
