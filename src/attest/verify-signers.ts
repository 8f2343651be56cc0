import { asDomainError, DomainError } from '../domain/errors.ts'
import { releaseRef } from '../domain/names.ts'
import { distinctSigners, type Signer, signerText } from '../domain/signer.ts'
import { type DigestClaim, verifyReleaseDigests } from './verify-release.ts'

/** A release with all bundles that came with it, the publisher's first. */
export interface SignedClaim extends Omit<DigestClaim, 'bundle'> {
  readonly bundles: readonly string[]
  /** How many accepted signers there must be. */
  readonly minSigners: number
}

/**
 * Checks that enough accepted signers signed exactly these files as exactly this release, and gives those that did, each
 * once. A bundle that does not hold counts for nothing and spoils nothing: whoever hands a release on could add one. When
 * none holds, the error is the first bundle's.
 *
 * `verify` checks one bundle. Throws `too_few_signers`, and what {@link verifyReleaseDigests} does.
 */
export function verifySigners(
  { bundles, minSigners, ...claim }: SignedClaim,
  verify: typeof verifyReleaseDigests = verifyReleaseDigests,
): Signer[] {
  const found: Signer[] = []
  const problems: DomainError[] = []
  for (const bundle of bundles)
    try {
      found.push(verify({ ...claim, bundle }).signer)
    } catch (thrown) {
      problems.push(asDomainError(thrown))
    }
  const signers = distinctSigners(found)
  const [problem] = problems
  if (signers.length === 0)
    throw (
      problem ??
      new DomainError('bundle_missing', `${releaseRef(claim.program, claim.version)} has no bundle`)
    )
  if (signers.length < minSigners)
    throw new DomainError(
      'too_few_signers',
      `${releaseRef(claim.program, claim.version)} is signed by ${signers.length} accepted signers of ${minSigners}: ${signers.map(signerText).join(', ')}${problem === undefined ? '' : `; of the others: ${problem.message}`}`,
    )
  return signers
}
