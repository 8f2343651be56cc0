import type { Digest } from '../domain/names.ts'
import type { Desired, Proven } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'

/** What a function ran from before what it runs from now. */
export type Earlier = NonNullable<Proven['before']>

/** Whether a function runs from the same by both. What it ran from before is no part of it. */
export const sameProof = (a: Proven | undefined, b: Proven | undefined): boolean => textOf(a) === textOf(b)

const textOf = (proof: Proven | undefined): string | undefined =>
  proof === undefined ? undefined : JSON.stringify({ ...proof, before: undefined })

/** Keeps what a function runs from, when that is news, together with the releases that it ran from before. */
export async function keepProof(
  state: Pick<AgentState, 'saveProven'>,
  proof: Proven | undefined,
  proven: readonly Proven[],
): Promise<void> {
  if (proof === undefined) return
  const known = proven.find((one) => one.function === proof.function)
  if (sameProof(known, proof)) return
  const before = known === undefined ? undefined : earlierThan(proof, known)
  await state.saveProven({ ...proof, ...(before === undefined ? {} : { before }) })
}

/** Other releases are what to go back to when these are revoked; the same under a newer order are not. */
function earlierThan(proof: Proven, known: Proven): Earlier | undefined {
  if (JSON.stringify(known.releases) === JSON.stringify(proof.releases)) return known.before
  const { resolutions, releases, keys } = known
  return { resolutions, releases, keys }
}

/** Files that a node needs: of what is desired, of what runs, and of what that goes back to. */
export async function wantedFiles(desired: Desired, state: Pick<AgentState, 'proven'>): Promise<Set<Digest>> {
  const proven = (await state.proven()).flatMap((one) => [one, ...(one.before ? [one.before] : [])])
  const releases = [desired, ...proven].flatMap((source) => source.releases)
  return new Set(releases.flatMap(({ files }) => files.map(({ digest }) => digest)))
}
