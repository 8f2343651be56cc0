import { sha256Digest } from '../attest/keys.ts'
import type { Actor } from '../domain/account.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import { distinctSigners } from '../domain/signer.ts'
import type { SignedBundle } from '../ports/catalog.ts'
import { audit, type Database, lockFleet } from './database.ts'
import type { RegistryLogs } from './logs.ts'
import { signerColumns, signerOf } from './releases.ts'

/**
 * Adds a further signature to a release; one of a signer who has signed it already changes nothing. Throws `too_many`,
 * `version_not_found`.
 */
export async function addBundle(
  { change }: Database,
  logs: RegistryLogs,
  ref: ProgramId,
  version: string,
  { bundle, signer }: SignedBundle,
  by: Actor,
): Promise<void> {
  const name = releaseRef(ref, version)
  await change(async (transaction) => {
    await lockFleet(transaction)
    const row = await transaction.release.findFirst({
      where: { version, deletedAt: null, program: { ref } },
      include: { bundles: { orderBy: { position: 'asc' } }, program: { select: { visibility: true } } },
    })
    if (row === null) throw new DomainError('version_not_found', `there is no release ${name}`)
    const signers = distinctSigners([row, ...row.bundles].map(signerOf))
    if (distinctSigners([...signers, signer]).length === signers.length) return
    const bytes = [bundle, ...row.bundles.map((one) => one.bundle)].reduce(
      (sum, text) => sum + text.length,
      0,
    )
    if (row.bundles.length >= LIMITS.release_bundles || bytes > LIMITS.bundles_bytes)
      throw new DomainError(
        'too_many',
        `${name} has room for ${LIMITS.release_bundles} further signatures of ${LIMITS.bundles_bytes} bytes`,
      )
    const position = (row.bundles.at(-1)?.position ?? -1) + 1
    const data = { releaseId: row.id, position, bundle, ...signerColumns(signer) }
    await transaction.releaseBundle.create({ data })
    await audit(transaction, by, 'release.cosign', name, { after: { signer } })
    const isPrivate = row.program.visibility === 'private'
    await logs.record(transaction, cosignature(ref, version, { bundle, signer }), isPrivate)
  })
}

/** What the log says of a further signature. */
export const cosignature = (program: ProgramId, version: string, { bundle, signer }: SignedBundle) => ({
  ...({ kind: 'cosign', program, version, signer } as const),
  bundle: sha256Digest(Buffer.from(bundle)),
})
