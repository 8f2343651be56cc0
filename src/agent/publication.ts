import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import { releaseRef } from '../domain/names.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import { hides, parseEntry } from '../tlog/entry.ts'
import { leafHash } from '../tlog/merkle.ts'

/**
 * The leaf that a release's publication is in the log of the catalog, where it is said to stand, and when it was made; pure.
 * The entry is that of exactly this release and names one of `signers`, or is a commitment that hides it. Whether the leaf is
 * there is the caller's to check. Throws `not_logged`.
 */
export function publicationOf(
  release: ReleaseDescriptor,
  signers: readonly Signer[],
): { index: number; leaf: Buffer; at: Date } {
  const { program, version, logged } = release
  const refuse = (why: string, cause?: unknown): never => {
    throw new DomainError('not_logged', `${releaseRef(program, version)}: ${why}`, { cause })
  }
  if (logged === undefined) return refuse('the registry does not say where it was logged')
  const { index, entry, hidden, salt } = logged
  try {
    const shown = parseEntry(Buffer.from(entry))
    const said = hidden === undefined ? shown : parseEntry(Buffer.from(hidden))
    if (said.kind !== 'publish' || !isOf(said, release, signers))
      return refuse('the entry of the log is about something else')
    if (hidden !== undefined && !hides(shown, said, Buffer.from(salt ?? '', 'base64')))
      return refuse('the entry of the log hides something else')
    return { index, leaf: leafHash(Buffer.from(entry)), at: new Date(said.at * 1000) }
  } catch (cause) {
    if (cause instanceof DomainError && cause.code === 'not_logged') throw cause
    return refuse('the entry of the log cannot be read', cause)
  }
}

function isOf(
  said: Extract<LogEntry, { kind: 'publish' }>,
  { program, version, files, bundle }: ReleaseDescriptor,
  signers: readonly Signer[],
): boolean {
  const accepted = new Set(signers.map(signerText))
  const listed = new Map(files.map(({ name, digest }) => [name, digest]))
  return (
    said.program === program &&
    said.version === version &&
    said.bundle === sha256Digest(Buffer.from(bundle)) &&
    said.files.length === listed.size &&
    said.files.every(({ name, digest }) => listed.get(name) === digest) &&
    said.signers.some((one) => accepted.has(signerText(one)))
  )
}
