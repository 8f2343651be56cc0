import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Clock } from '../ports/clock.ts'

/** Refuses a request that was seen before. */
export interface Nonces {
  /** Remembers a request whose signature held. Throws `node_unauthenticated` when it was seen before. */
  use(request: { keyId: string; nonce: string; created: Date }): void
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
  return {
    use: ({ keyId, nonce, created }) => {
      if (created.getTime() / 1000 < started_s)
        throw new DomainError(
          'node_unauthenticated',
          'the request was signed before this registry started: sign it again',
        )
      const now = clock().getTime()
      // two sets in turn: each nonce is kept for one to two lifetimes, and forgetting costs nothing
      if (now - turned >= lifetime_ms) {
        older = now - turned >= 2 * lifetime_ms ? new Set() : newer
        newer = new Set()
        turned = now
      }
      const seen = `${keyId} ${nonce}`
      if (older.has(seen) || newer.has(seen))
        throw new DomainError('node_unauthenticated', 'the request was made before: sign each one anew')
      newer.add(seen)
    },
  }
}
