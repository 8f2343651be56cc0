import { LIMITS } from '../domain/limits.ts'
import type { FleetSnapshot } from '../ports/fleet.ts'

type Told = FleetSnapshot['revocations'][number]

/**
 * Those of `revocations`, the newest first, that a desired state has room for. Whoever revokes has the same share: each
 * operator, and the publishers of each program. All are told their newest one, then the next, and so on, so that one who
 * revokes without end leaves nodes untold of nothing but his own.
 */
export function shareRoom(revocations: readonly Told[]): Told[] {
  const told = new Map<string | undefined, number>()
  const turns = revocations.map((revocation) => {
    const by = revocation.operator ?? revocation.program
    const turn = told.get(by) ?? 0
    told.set(by, turn + 1)
    return { turn, revocation }
  })
  let room: number = LIMITS.desired_revocations_bytes
  return turns
    .sort((a, b) => a.turn - b.turn)
    .slice(0, LIMITS.desired_revocations)
    .filter(({ revocation }) => {
      room -= Buffer.byteLength(revocation.signed.envelope)
      return room >= 0
    })
    .map(({ revocation }) => revocation)
}
