import { sha256Digest } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { releaseRef } from '../domain/names.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import { leafHash } from '../tlog/merkle.ts'
import { openEntry, requirePublication } from '../tlog/publication.ts'

/** Where a release's publication is in the log of the catalog. */
export interface Publication {
  readonly index: number
  readonly leaf: Buffer
  /** Index and leaf, as `places` of a kept log has them. */
  readonly place: string
  readonly at: Date
}

/**
 * The leaf that a release's publication is in the log of the catalog, where it is said to stand, and when it was made; pure.
 * The entry is that of exactly this release and names one of `signers`, or is a commitment that hides it. Whether the leaf is
 * there is the caller's to check. Throws `not_logged`.
 */
export function publicationOf(release: ReleaseDescriptor, signers: readonly Signer[]): Publication {
  const { program, version, logged } = release
  const refuse = (why: string, cause?: unknown): never => {
    throw new DomainError('not_logged', `${releaseRef(program, version)}: ${why}`, { cause })
  }
  if (logged === undefined) return refuse('the registry does not say where it was logged')
  const { index, entry, hidden, salt } = logged
  try {
    const opened =
      hidden === undefined
        ? undefined
        : { entry: Buffer.from(hidden), salt: Buffer.from(salt ?? '', 'base64') }
    const said = openEntry(Buffer.from(entry), opened)
    requirePublication(said, { ...release, bundle: sha256Digest(Buffer.from(release.bundle)) })
    const accepted = new Set(signers.map(signerText))
    if (said.kind !== 'publish' || !said.signers.some((one) => accepted.has(signerText(one))))
      return refuse('the entry of the log names none of its signers')
    const leaf = leafHash(Buffer.from(entry))
    return { index, leaf, place: `${index}:${leaf.toString('hex')}`, at: new Date(said.at * 1000) }
  } catch (cause) {
    if (cause instanceof DomainError && cause.code === 'not_logged') throw cause
    return refuse(`its entry in the log does not fit: ${asDomainError(cause).message}`, cause)
  }
}
