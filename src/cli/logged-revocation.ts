import { sha256Digest } from '../attest/keys.ts'
import { describeRevocation } from '../attest/revocation.ts'
import type { LogClient } from '../client/log-client.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { LogName } from '../domain/log.ts'
import { type RevocationView, revokedText } from '../domain/revocation.ts'
import { requireRevocation } from '../tlog/logged-revocation.ts'
import { parseNoteKey } from '../tlog/note-key.ts'
import type { Io } from './io.ts'
import { FRESH, type LogDemand, type LogDemandFlags, logDemand, withLogKey } from './log-demand.ts'
import { openLogMemory } from './log-memory.ts'
import { checkProof } from './log-proof.ts'

/** Flags by which a revocation is looked for in the logs; without a key, those count that are remembered in `state`. */
export interface LoggedRevocationFlags extends LogDemandFlags {
  readonly state?: string | undefined
}

/** Indexes of the entries of a revocation. */
export type LoggedRevocation = Readonly<Record<LogName, number>>

/** What the logs are held to: by flags, else as they are remembered; undefined where no key of them is known. */
export async function revocationDemand(
  flags: LoggedRevocationFlags,
  registry: string,
  io: Io,
): Promise<LogDemand | undefined> {
  const asked = await logDemand(flags)
  if (asked !== undefined) return asked
  const memory = await openLogMemory(io, flags.state)
  const [catalog, revocations] = [memory.of(registry, 'catalog'), memory.of(registry, 'revocations')]
  if (catalog === undefined || revocations === undefined) return undefined
  const keys = { catalog: parseNoteKey(catalog.key), revocations: parseNoteKey(revocations.key) }
  return { keys, policy: FRESH, recoveryKeys: [] }
}

/**
 * Where both logs have a revocation that the registry took, checked here: its entry is part of a checkpoint that is accepted, and says
 * just this. Throws `revocation_unlogged`, and what refuses a log or its proof.
 */
export async function requireLoggedRevocation(
  client: LogClient,
  demand: LogDemand,
  { envelope }: Pick<RevocationView, 'envelope'>,
): Promise<LoggedRevocation> {
  const { revoked, reason } = describeRevocation(envelope)
  const shown = { revoked, reason, digest: sha256Digest(Buffer.from(envelope)) }
  const indexIn = async (log: LogName): Promise<number> => {
    try {
      return await withLogKey(client, log, demand, async (key) => {
        const { proof, entry } = checkProof(
          await client.revocationProof(shown.digest, log),
          key,
          demand.policy,
        )
        requireRevocation(entry, shown)
        return proof.index
      })
    } catch (cause) {
      const { code, message } = asDomainError(cause)
      throw new DomainError(
        code === 'not_found' ? 'revocation_unlogged' : code,
        `the registry took the revocation of ${revokedText(revoked)}, but its log of ${log} does not prove it: ${message}`,
        { cause },
      )
    }
  }
  return { catalog: await indexIn('catalog'), revocations: await indexIn('revocations') }
}
