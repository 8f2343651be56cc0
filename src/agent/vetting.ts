import { DomainError } from '../domain/errors.ts'
import type { EntryRecord } from '../domain/generation.ts'
import type { ProgramId } from '../domain/names.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { RevocableRelease } from '../domain/revocation.ts'
import type { Signer } from '../domain/signer.ts'
import { isDropEntry } from './drop-entry.ts'
import type { LogFollower } from './log-follower.ts'
import type { LogTrust } from './log-trust.ts'
import type { NodeRevocations } from './revocations.ts'

/** What a node asks of a release beyond its signatures: that it was logged, and is not revoked. */
export interface Vetting {
  /**
   * Gives when a release was published, where the policy has a log to say so. Throws `release_revoked`, `revocation_withheld`,
   * `not_logged`, and why the log is not believed.
   */
  requireAllowed(
    release: ReleaseDescriptor,
    signers: readonly Signer[],
    signal: AbortSignal,
  ): Promise<Date | undefined>
  /**
   * Looks at the log, where the policy names one, before anything is done that a registry says which may have gone back in time.
   * Throws why the log is not believed, or cannot be looked at now.
   */
  requireSoundLog(signal: AbortSignal): Promise<void>
  /** Why a release must not run; undefined where nothing speaks against it. */
  revocationOf(release: RevocableRelease): DomainError | undefined
  /** Versions of a program that are revoked by their own name, in no order. */
  revokedVersions(program: ProgramId): string[]
  /** {@link revocationOf} an entry that runs, or ran. */
  isRevoked(entry: EntryRecord): boolean
}

/** Vets by what is believed now. Without `trust` no log is followed. */
export function vettingBy(
  revocations: Pick<NodeRevocations, 'of' | 'requireNotWithheld' | 'versionsOf'>,
  follower: Pick<LogFollower, 'isStale' | 'requireLogged' | 'notes' | 'follow'>,
  trust: LogTrust | undefined,
): Vetting {
  const revocationOf = (release: RevocableRelease): DomainError | undefined => {
    const ref = `${release.program}@${release.version}`
    const believed = revocations.of(release)
    if (believed !== undefined) {
      const { reason, message } = believed.revocation
      return new DomainError('release_revoked', `${ref} is revoked (${reason}): ${message}`)
    }
    if (trust?.onStale !== 'revoke' || !follower.isStale(trust)) return undefined
    const why = `the log was not fresh for ${trust.policy.maxAge_s} s, and onStale is revoke`
    return new DomainError('release_revoked', `${ref} counts as revoked: ${why}`)
  }
  return {
    revocationOf,
    requireAllowed: async (release, signers, signal) => {
      const published = trust && (await follower.requireLogged(release, signers, trust, signal))
      const revoked = revocationOf(release)
      if (revoked !== undefined) throw revoked
      if (trust !== undefined) revocations.requireNotWithheld(release, follower.notes)
      return published
    },
    requireSoundLog: async (signal) => {
      if (trust === undefined) return
      await follower.follow(trust, signal) // one that is under way may have asked before
      const problem = await follower.follow(trust, signal)
      if (problem !== undefined) throw problem
    },
    revokedVersions: (program) => revocations.versionsOf(program),
    isRevoked: (entry) => {
      const { release, object } = entry
      const program = programOf(release)
      const version = release.slice(program.length + 1)
      return (
        !isDropEntry(entry) && revocationOf({ program, version, files: [{ digest: object }] }) !== undefined
      )
    },
  }
}
