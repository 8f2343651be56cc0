import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sha256Digest } from '../attest/keys.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type ProgramId, releaseRef } from '../domain/names.ts'
import { signerText } from '../domain/signer.ts'
import { parseNoteKey } from '../tlog/note-key.ts'
import type { ShownEntry } from '../tlog/publication.ts'
import { acceptedSigners, saysTrust, type TrustFlags } from './accepted-signers.ts'
import { checkRelease } from './check-release.ts'
import { fetchFiles, findRelease } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { isDirectory, readLocalText } from './local-file.ts'
import { givenKey } from './log-pin.ts'
import { checkedProof } from './log-proof.ts'
import { BUNDLE_FILE, readReleaseDirectory } from './release-directory.ts'
import { connect, connectLog, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { bytesText, counted } from './terminal.ts'

interface Candidate {
  readonly program: ProgramId
  readonly version: string
  readonly files: ReadonlyMap<string, Buffer>
  readonly bundle: string
}

/** Flags of `hookline verify`; `target` is a release, or a directory with its bundle in `bundle`, else in its bundle.json. */
export interface VerifyFlags extends TrustFlags, RegistryFlags {
  readonly target: string
  readonly bundle?: string | undefined
  /** Verifier keys of the registry's log: then the release must be in it. */
  readonly logKey: readonly string[]
}

/**
 * Checks a release of the registry, or one in a directory, as a node would, and says what holds. Throws what the check
 * that failed throws.
 */
export async function verify(flags: VerifyFlags, { io }: Context): Promise<Outcome> {
  if (!saysTrust(flags))
    throw new DomainError(
      'usage',
      'say whom to trust: --signer <key or fingerprint>, or --policy <trust.yaml>',
    )
  const release =
    flags.bundle !== undefined || (await namesDirectory(flags.target))
      ? await fromDirectory(flags.target, flags.bundle ?? (await bundleIn(flags.target)))
      : await fromRegistry(await connect(io, flags), flags.target)
  const accepted = await acceptedSigners(flags, release, async () => {
    const client = await connect(io, flags).catch(explainMissingKey)
    return client.keys(release.program.split('/')[0] ?? '')
  })
  const { signer } = checkRelease(release, accepted)
  const { program, version } = release
  const files = [...release.files].map(([name, bytes]) => ({
    name,
    size: bytes.length,
    digest: sha256Digest(bytes),
  }))
  const proof = flags.logKey.length === 0 ? undefined : await requireInLog(io, flags, release)
  const rows = files.map(({ name, size, digest }) => [name, bytesText(size), digest])
  const ref = releaseRef(program, version)
  const text = [
    `${ref} holds:`,
    `- signed by ${signerText(signer)}, accepted by ${accepted.rule}`,
    `- the signature is for ${ref}, and so is its manifest`,
    ...(proof === undefined ? [] : [`- it is entry ${proof.index} of the registry’s log`]),
    `- its ${counted(files.length, 'file')}, exactly the signed ones:`,
    renderTable(io, ['file', 'size', 'digest'], rows).replace(/^/gm, '  '),
  ].join('\n')
  const log = proof === undefined ? {} : { logIndex: proof.index }
  return { json: { program, version, signer, files, ...log }, text }
}

/** The proof that just this release is in the log of the registry. Throws as {@link checkedProof}, `log_key_invalid`. */
async function requireInLog(
  io: Context['io'],
  flags: VerifyFlags,
  { program, version, files, bundle }: Candidate,
): Promise<ShownEntry> {
  const key = givenKey('catalog', flags.logKey.map(parseNoteKey))
  if (key === undefined) throw new DomainError('usage', '--log-key: give the key of the log')
  const digests = [...files].map(([name, bytes]) => ({ name, digest: sha256Digest(bytes) }))
  const release = { program, version, files: digests, bundle: sha256Digest(Buffer.from(bundle)) }
  const policy = { maxAge_s: LIMITS.log_fresh_s, witnesses: { keys: [], threshold: 0 } }
  return checkedProof(await connectLog(io, flags), release, key, policy)
}

async function fromRegistry(client: RegistryClient, target: string): Promise<Candidate> {
  const { view, files } = await fetchFiles(client, await findRelease(client, target))
  return { program: view.program, version: view.version, files, bundle: view.bundle }
}

/** A version makes it a release, whatever folders there are. */
const namesDirectory = async (target: string): Promise<boolean> =>
  !target.includes('@') && (await isDirectory(target))

/** The bundle that `hookline pull` writes next to the files. Throws `usage`. */
async function bundleIn(directory: string): Promise<string> {
  const path = join(directory, BUNDLE_FILE)
  if (existsSync(path)) return path
  throw new DomainError(
    'usage',
    `${directory} has no ${BUNDLE_FILE}: name the bundle of its release by --bundle <file>`,
  )
}

async function fromDirectory(directory: string, bundle: string): Promise<Candidate> {
  const { manifest, files } = await readReleaseDirectory(directory)
  const text = await readLocalText(bundle, LIMITS.bundle_bytes, 'bundle')
  return { program: manifest.name, version: manifest.version, files, bundle: text }
}

/** Without a registry a fingerprint alone cannot check a signature. */
function explainMissingKey(thrown: unknown): never {
  if (!(thrown instanceof DomainError) || thrown.code !== 'no_registry') throw thrown
  throw new DomainError(
    'no_registry',
    'a signer is named by its fingerprint only: give its public key file to --signer, or name a registry that has it',
  )
}
