import { sha256Digest } from '../attest/keys.ts'
import { requireReleaseLimits } from '../attest/release-statement.ts'
import type { KeySigner } from '../attest/sign-release.ts'
import type { CheckList } from '../domain/check.ts'
import { DomainError, isErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { releaseRef } from '../domain/names.ts'
import { signerText } from '../domain/signer.ts'
import { renderChecks } from './check-table.ts'
import type { Context, Outcome } from './io.ts'
import { type KeylessFlags, servicesOf, tokenToSign } from './keyless.ts'
import { readLocalText } from './local-file.ts'
import { progressBar } from './progress-bar.ts'
import { type LocalRelease, readReleaseDirectory } from './release-directory.ts'
import { type SigningFlags, signersOf } from './release-signers.ts'
import { connectToPublish, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { bytesText, counted } from './terminal.ts'

/** Flags of `hookline publish`. */
export interface PublishFlags extends RegistryFlags, SigningFlags, KeylessFlags {
  readonly directory: string
  /** A Sigstore bundle with an SLSA v1 provenance. */
  readonly provenance?: string | undefined
  readonly unsigned: boolean
  readonly private: boolean
  /** Have it checked by the registry, and publish nothing. */
  readonly dryRun: boolean
}

/**
 * Publishes the release that lies in a directory: checked here first, signed, and uploaded whole. `unsigned` leaves the
 * signature out, which a registry refuses. Throws what the check that failed throws, and what the registry refuses.
 */
export async function publish(flags: PublishFlags, context: Context): Promise<Outcome> {
  const { io, progress } = context
  const release = await readReleaseDirectory(flags.directory)
  const { manifest, files } = release
  if (!flags.dryRun) for (const warning of await checkLocally(release)) progress(warning)
  const signers = await signersFor(flags, io)
  const identityToken = flags.keyless ? await tokenToSign(io) : undefined
  const client = await connectToPublish(context, flags, manifest.name)
  const ref = releaseRef(manifest.name, manifest.version)
  const rows = [...files].map(([name, bytes]) => [name, bytesText(bytes.length), sha256Digest(bytes)])
  progress(renderTable(io, ['file', 'size', 'digest'], rows))
  const bundles: string[] = []
  if (identityToken !== undefined) {
    progress(`signing ${ref} by this job’s identity`)
    bundles.push(await signByIdentity(release, identityToken, flags))
  }
  for (const signer of signers) {
    progress(`signing ${ref} as ${signer.publicKey.fingerprint}`)
    bundles.push(await signAs(release, signer))
  }
  if (bundles.length === 0) progress(`publishing ${ref} UNSIGNED`)
  const provenance =
    flags.provenance && (await readLocalText(flags.provenance, LIMITS.bundle_bytes, 'provenance'))
  const total = [...files.values()].reduce((sum, { length }) => sum + length, 0)
  progress(`uploading ${counted(files.size, 'file')}, ${bytesText(total)}`)
  const [bundle, ...others] = bundles
  const outgoing = { files, bundle, bundles: others, provenance }
  if (flags.dryRun) return checksOutcome(io, ref, await client.check(outgoing))
  const bar = progressBar(context.json ? { ...io, columns: undefined } : io, 'uploading', total)
  const sent = {
    ...outgoing,
    ...(flags.private ? { visibility: 'private' as const } : {}),
  }
  const view = await client.publish(sent, (bytes) => bar.add(bytes)).finally(() => bar.end())
  return { json: view, text: `published ${ref}, signed by ${view.signers.map(signerText).join(' and ')}` }
}

/** What the files tell is checked before anything is sent: the registry's answers are then about rights. Throws the first error. */
async function checkLocally({ manifest, files }: LocalRelease): Promise<string[]> {
  requireReleaseLimits(files)
  const { checkContents } = await import('../elf/check-contents.ts')
  const { checks } = checkContents(manifest, files)
  const first = checks.find(({ level }) => level === 'error')
  if (first?.code !== undefined && isErrorCode(first.code))
    throw new DomainError(first.code, first.detail, { checks })
  return checks.flatMap(({ level, detail }) => (level === 'warning' ? [`warning: ${detail}`] : []))
}

/** What the registry finds, as a table; a release that it would refuse ends with exit code 1. */
function checksOutcome(io: Context['io'], ref: string, { publishable, checks }: CheckList): Outcome {
  const verdict = publishable ? `${ref} could be published; nothing was` : `${ref} would be refused`
  return {
    json: { publishable, checks },
    text: `${renderChecks(io, checks)}\n${verdict}`,
    failed: !publishable,
  }
}

async function signByIdentity(
  { manifest, files }: LocalRelease,
  identityToken: string,
  flags: PublishFlags,
): Promise<string> {
  const { signKeyless } = await import('../attest/sign-keyless.ts')
  const release = { program: manifest.name, version: manifest.version, files }
  return signKeyless(release, identityToken, await servicesOf(flags))
}

/** Those who sign by keys; none beside an identity, without a signature, or where nothing is published. Throws `usage`. */
async function signersFor(flags: PublishFlags, io: Context['io']): Promise<KeySigner[]> {
  const named = flags.key.length > 0 || flags.signerCommand !== undefined
  if (flags.keyless && (flags.unsigned || named))
    throw new DomainError('usage', '--keyless contradicts --key and --unsigned')
  if (flags.unsigned && named) throw new DomainError('usage', '--unsigned contradicts --key')
  const signers = await signersOf(flags, io)
  if (signers.length === 0 && !flags.keyless && !flags.unsigned && !flags.dryRun)
    throw new DomainError(
      'usage',
      'name the key that signs: --key <private key>, as hookline keygen writes it; or --keyless in a pipeline’s job',
    )
  return signers
}

async function signAs({ manifest, files }: LocalRelease, signer: KeySigner): Promise<string> {
  const { signRelease } = await import('../attest/sign-release.ts')
  return signRelease({ program: manifest.name, version: manifest.version, files }, signer)
}
