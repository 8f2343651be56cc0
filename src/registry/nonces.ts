import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Clock } from '../ports/clock.ts'

/** Refuses a request that was seen before. */
export interface Nonces {
  /** Throws `node_unauthenticated` when the request was seen before. */
  requireUnseen(request: SeenRequest): void
  /** The same, and remembers a request whose signature held. */
  use(request: SeenRequest): void
}

interface SeenRequest {
  readonly keyId: string
  readonly nonce: string
  readonly created: Date
}

/**
 * Remembers nonces for as long as their signatures would be accepted: the skew to either side. What was seen before a
 * restart is not remembered, so a request signed before the start is refused as if it had been seen.
 */
export function rememberNonces(clock: Clock): Nonces {
  const started_s = Math.floor(clock().getTime() / 1000)
  const lifetime_ms = 2 * LIMITS.signature_skew_s * 1000
  let [older, newer] = [new Set<string>(), new Set<string>()]
  let turned = clock().getTime()
  const nameOf = ({ keyId, nonce }: SeenRequest): string => `${keyId} ${nonce}`
  const requireUnseen: Nonces['requireUnseen'] = (request) => {
    if (request.created.getTime() / 1000 < started_s)
      throw new DomainError(
        'node_unauthenticated',
        'the request was signed before this registry started: sign it again',
      )
    if (older.has(nameOf(request)) || newer.has(nameOf(request)))
      throw new DomainError('node_unauthenticated', 'the request was made before: sign each one anew')
  }
  return {
    requireUnseen,
    use: (request) => {
      const now = clock().getTime()
      // two sets in turn: each nonce is kept for one to two lifetimes, and forgetting costs nothing
      if (now - turned >= lifetime_ms) {
        older = now - turned >= 2 * lifetime_ms ? new Set() : newer
        newer = new Set()
        turned = now
      }
      requireUnseen(request)
      newer.add(nameOf(request))
    },
  }
}
