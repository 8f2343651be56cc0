import { FunctionStep } from '../domain/fleet-function.ts'
import type { Order } from '../domain/function.ts'
import { parseOrder } from '../domain/function.ts'
import { Digest, type ProgramId } from '../domain/names.ts'
import { type Offered, programOf, type ResolvedUse, resolveUses, usesOf } from '../domain/resolution.ts'
import type { FunctionOutline } from '../ports/fleet.ts'
import type { Transaction } from './database.ts'

/** The newest order about a function, as it is kept. */
export interface HeadRow {
  readonly name: string
  readonly revision: bigint
  /** Without configuration, which the envelope has. */
  readonly order: Order
  readonly envelope: string
  readonly appliedAt: Date
}

/** The newest revision of every function, by name; or of one. */
export async function readHeads(transaction: Transaction, name: string | null = null): Promise<HeadRow[]> {
  const rows = await transaction.$queryRaw<(Omit<HeadRow, 'order'> & { order: unknown })[]>`
    SELECT DISTINCT ON ("name") "name", "revision", "order", "envelope", "applied_at" AS "appliedAt"
    FROM "function_revision" WHERE ${name}::text IS NULL OR "name" = ${name}
    ORDER BY "name", "revision" DESC`
  return rows.map((row) => ({ ...row, order: parseOrder(row.order) }))
}

/** The same without what may be large. */
export async function readOutlines(
  transaction: Transaction,
): Promise<Pick<FunctionOutline, 'name' | 'order' | 'operator' | 'appliedAt'>[]> {
  const rows = await transaction.$queryRaw<
    { name: string; order: unknown; operator: string; appliedAt: Date }[]
  >`
    SELECT DISTINCT ON ("name") "name", "order", "operator", "applied_at" AS "appliedAt"
    FROM "function_revision" ORDER BY "name", "revision" DESC`
  return rows.map((row) => ({
    ...row,
    order: parseOrder(row.order),
    operator: Digest.parse(row.operator),
  }))
}

/** What is offered of each program that the ranges name: neither what is deleted nor what is quarantined or revoked. */
export async function readOffered(
  transaction: Transaction,
  uses: readonly string[],
): Promise<Map<ProgramId, Offered[]>> {
  const refs = [...new Set(uses.map(programOf))]
  const offered = new Map<ProgramId, Offered[]>(refs.map((ref) => [ref, []]))
  if (refs.length === 0) return offered
  const rows = await transaction.release.findMany({
    where: {
      program: { ref: { in: refs }, quarantined: null },
      quarantined: null,
      revoked: null,
      deletedAt: null,
    },
    select: { version: true, yanked: true, program: { select: { ref: true } } },
  })
  for (const { program, version, yanked } of rows)
    offered.get(program.ref)?.push({ version, yanked: yanked !== null })
  return offered
}

/** What a step keeps: the ranges that resolved, and to what. */
export const StepResolutions = FunctionStep.shape.resolutions

/** Leaves out the ranges that resolved to nothing. */
export const resolvedOnly = (resolutions: readonly ResolvedUse[]): FunctionStep['resolutions'] =>
  resolutions.flatMap(({ use, version }) => (version === undefined ? [] : [{ use, version }]))

/**
 * Records a step of each function in force whose ranges resolve otherwise since `program` got or lost a release. Runs inside
 * the transaction that makes it so, under the fleet lock.
 */
export async function recordSteps(transaction: Transaction, program: ProgramId): Promise<void> {
  const heads = (await readHeads(transaction)).filter(({ order }) =>
    usesOf(order).map(programOf).includes(program),
  )
  if (heads.length === 0) return
  const offered = await readOffered(
    transaction,
    heads.flatMap(({ order }) => usesOf(order)),
  )
  const last = await transaction.$queryRaw<{ name: string; resolutions: unknown }[]>`
    SELECT DISTINCT ON ("name") "name", "resolutions" FROM "function_step"
    WHERE "name" = ANY(${heads.map(({ name }) => name)}) ORDER BY "name", "id" DESC`
  const before = new Map(
    last.map((row) => [row.name, JSON.stringify(StepResolutions.parse(row.resolutions))]),
  )
  const steps = heads
    .map(({ name, revision, order }) => ({
      name,
      revision,
      resolutions: resolvedOnly(resolveUses(usesOf(order), offered)),
    }))
    .filter((step) => JSON.stringify(step.resolutions) !== before.get(step.name))
  await transaction.functionStep.createMany({ data: steps })
}
