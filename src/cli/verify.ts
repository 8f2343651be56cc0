import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { sha256Digest } from '../attest/keys.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { releaseRef } from '../domain/names.ts'
import type { ReleaseView } from '../domain/release.ts'
import { signerText } from '../domain/signer.ts'
import type { ShownRelease } from '../tlog/publication.ts'
import { acceptedSigners, saysTrust, type TrustFlags } from './accepted-signers.ts'
import { type CheckedRelease, checkRelease } from './check-release.ts'
import { fetchFiles, findRelease } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { isDirectory, readLocalText } from './local-file.ts'
import { type LogDemandFlags, logDemand, requireInLog } from './log-demand.ts'
import { BUNDLE_FILE, bundleFiles, PROVENANCE_FILE, readReleaseDirectory } from './release-directory.ts'
import { connect } from './settings.ts'
import { revocationLine, shownRevocation } from './shown-revocation.ts'
import { renderTable } from './table.ts'
import { bytesText, counted } from './terminal.ts'

/** Flags of `hookline verify`; `target` is a release, or a directory with its bundle in `bundle`, else in its bundle.json. */
export interface VerifyFlags extends TrustFlags, LogDemandFlags {
  readonly target: string
  readonly policy?: string | undefined
  readonly bundle?: string | undefined
}

/**
 * Checks a release of the registry, or one in a directory, as a node would, and says what holds. The exit code is 3 when somebody
 * who may has revoked it. Throws what the check that failed throws.
 */
export async function verify(flags: VerifyFlags, { io }: Context): Promise<Outcome> {
  if (!saysTrust(flags))
    throw new DomainError(
      'usage',
      'say whom to trust: --signer <key or fingerprint>, or --policy <trust.yaml>',
    )
  const { release, view } =
    flags.bundle !== undefined || (await namesDirectory(flags.target))
      ? {
          release: await fromDirectory(
            flags.target,
            flags.bundle === undefined ? bundlesIn(flags.target) : [flags.bundle],
          ),
          view: undefined,
        }
      : await fromRegistry(await connect(io, flags), flags.target)
  const accepted = await acceptedSigners(flags, release, async () => {
    const client = await connect(io, flags).catch(explainMissingKey)
    return client.keys(release.program.split('/')[0] ?? '')
  })
  const { signers } = checkRelease(release, accepted)
  const { program, version } = release
  const files = [...release.files].map(([name, bytes]) => ({
    name,
    size: bytes.length,
    digest: sha256Digest(bytes),
  }))
  const demand = await logDemand(flags)
  const proof = demand && (await requireInLog(demand, shownRelease(release), io, flags))
  const revoked = view && (await shownRevocation(await connect(io, flags), view, accepted, flags.policy))
  const refused = revoked?.believed !== undefined
  const rows = files.map(({ name, size, digest }) => [name, bytesText(size), digest])
  const ref = releaseRef(program, version)
  const text = [
    `${ref} ${refused ? 'is revoked: what its publisher signed holds, and nodes that trust likewise stop it' : 'holds'}:`,
    ...(revoked === undefined ? [] : [revocationLine(revoked, accepted.rule)]),
    ...signers.map((signer) => `- signed by ${signerText(signer)}, accepted by ${accepted.rule}`),
    `- the signature is for ${ref}, and so is its manifest`,
    ...(proof === undefined ? [] : [`- it is entry ${proof.index} of the registry’s log`]),
    ...(flags.offline ? ['- the log was not asked (--offline): whether it was logged, nobody checked'] : []),
    `- its ${counted(files.length, 'file')}, exactly the signed ones:`,
    renderTable(io, ['file', 'size', 'digest'], rows).replace(/^/gm, '  '),
  ].join('\n')
  const log = proof === undefined ? {} : { logIndex: proof.index }
  return { json: { program, version, signer: signers[0], signers, files, ...log, revoked }, text, refused }
}

/** A release as its entry of the log is compared with. */
function shownRelease({ program, version, files, bundles }: CheckedRelease): ShownRelease {
  const digests = [...files].map(([name, bytes]) => ({ name, digest: sha256Digest(bytes) }))
  const [bundle = ''] = bundles // the publisher's, which is the one that was logged
  return { program, version, files: digests, bundle: sha256Digest(Buffer.from(bundle)) }
}

async function fromRegistry(
  client: RegistryClient,
  target: string,
): Promise<{ release: CheckedRelease; view: ReleaseView }> {
  const { view, files } = await fetchFiles(client, await findRelease(client, target))
  const { program, version, bundle, bundles } = view
  const provenance = view.provenance && (await client.provenance(program, version))
  return { release: { program, version, files, bundles: [bundle, ...bundles], provenance }, view }
}

/** A version makes it a release, whatever folders there are. */
const namesDirectory = async (target: string): Promise<boolean> =>
  !target.includes('@') && (await isDirectory(target))

/** The bundles that `hookline pull` writes next to the files. Throws `usage`. */
function bundlesIn(directory: string): string[] {
  const paths = bundleFiles().map((name) => join(directory, name))
  const found = paths.filter((path) => existsSync(path))
  if (found.length > 0) return found
  throw new DomainError(
    'usage',
    `${directory} has no ${BUNDLE_FILE}: name the bundle of its release by --bundle <file>`,
  )
}

async function fromDirectory(directory: string, paths: readonly string[]): Promise<CheckedRelease> {
  const { manifest, files } = await readReleaseDirectory(directory)
  const bundles: string[] = []
  for (const path of paths) bundles.push(await readLocalText(path, LIMITS.bundle_bytes, 'bundle'))
  const built = join(directory, PROVENANCE_FILE)
  const provenance = existsSync(built)
    ? await readLocalText(built, LIMITS.bundle_bytes, 'provenance')
    : undefined
  return { program: manifest.name, version: manifest.version, files, bundles, provenance }
}

/** Without a registry a fingerprint alone cannot check a signature. */
function explainMissingKey(thrown: unknown): never {
  if (!(thrown instanceof DomainError) || thrown.code !== 'no_registry') throw thrown
  throw new DomainError(
    'no_registry',
    'a signer is named by its fingerprint only: give its public key file to --signer, or name a registry that has it',
  )
}
