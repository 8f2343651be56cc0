import { DomainError } from '../domain/errors.ts'
import type { LogEntry, RevocationReason, Revoked } from '../domain/log-entry.ts'
import type { Digest } from '../domain/names.ts'
import { revokedText } from '../domain/revocation.ts'
import type { OpaqueEntry } from './entry.ts'

/** What of a revocation its entry is compared with. */
export interface ShownRevocation {
  readonly revoked: Revoked
  readonly reason: RevocationReason
  /** Of the bytes of its envelope. */
  readonly digest: Digest
}

/** Checks that an entry is just this revocation. Throws `revocation_unlogged`. */
export function requireRevocation(entry: LogEntry | OpaqueEntry, shown: ShownRevocation): void {
  const what = revokedText(shown.revoked)
  const differs = (why: string): DomainError =>
    new DomainError('revocation_unlogged', `the log has ${why} in place of the revocation of ${what}`)
  if (entry.kind !== 'revoke') throw differs('something else')
  if (entry.envelope !== shown.digest) throw differs('another envelope')
  if (revokedText(entry.revoked) !== what || entry.reason !== shown.reason)
    throw differs('another revocation')
}
