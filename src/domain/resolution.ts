import type { Order } from './function.ts'
import { compareVersions, newestFitting, type ProgramId, parseRef } from './names.ts'

/** What a `use` range stands for now; without `version` no release fits. */
export interface ResolvedUse {
  readonly use: string
  readonly version?: string
}

/** The distinct `use` ranges that an order names, in its order; none when it removes. */
export const usesOf = (order: Order): string[] =>
  order.kind === 'apply' ? [...new Set(order.function.instances.map((instance) => instance.use))] : []

/** The program that a `use` range is about. Throws `invalid_name`. */
export const programOf = (use: string): ProgramId => parseRef(use).program

/** A release that there is; a yanked one is taken only where nothing else fits. */
export interface Offered {
  readonly version: string
  readonly yanked: boolean
}

/**
 * The newest version that fits a range (pre-releases only where the range names one) and is not yanked. Where all that
 * fit are yanked, the newest of them: an exact version keeps meaning what it says, and nobody is left with nothing.
 */
export function newestOffered(offered: readonly Offered[], range: string): string | undefined {
  const good = offered.filter(({ yanked }) => !yanked).map(({ version }) => version)
  return (
    newestFitting(good, range) ??
    newestFitting(
      offered.map(({ version }) => version),
      range,
    )
  )
}

/** Resolves each range to the newest version that is offered for it. */
export function resolveUses(
  uses: readonly string[],
  offeredOf: ReadonlyMap<ProgramId, readonly Offered[]>,
): ResolvedUse[] {
  return uses.map((use) => {
    const { program, rest } = parseRef(use)
    const version = newestOffered(offeredOf.get(program) ?? [], rest)
    return version === undefined ? { use } : { use, version }
  })
}

/** The version that a program is shown by: its newest, one that is yanked or a pre-release only when there is nothing else. */
export function latestVersion(offered: readonly Offered[]): string | undefined {
  const newest = (of: readonly Offered[]): string | undefined => {
    const versions = of.map(({ version }) => version)
    return newestFitting(versions, '*') ?? versions.sort(compareVersions).at(-1)
  }
  return newest(offered.filter(({ yanked }) => !yanked)) ?? newest(offered)
}
