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

/** Resolves each range to the newest version that fits (pre-releases only where the range names one). */
export function resolveUses(
  uses: readonly string[],
  versionsOf: ReadonlyMap<ProgramId, readonly string[]>,
): ResolvedUse[] {
  return uses.map((use) => {
    const { program, rest } = parseRef(use)
    const version = newestFitting(versionsOf.get(program) ?? [], rest)
    return version === undefined ? { use } : { use, version }
  })
}

/** The version that a program is shown by: its newest, a pre-release only when there is nothing else. */
export const latestVersion = (versions: readonly string[]): string | undefined =>
  newestFitting(versions, '*') ?? [...versions].sort(compareVersions).at(-1)
