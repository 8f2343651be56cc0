import { join } from 'node:path'
import { DomainError } from '../domain/errors.ts'
import { releaseRef } from '../domain/names.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import { makeDirectory } from '../store/make-directory.ts'
import { acceptedSigners, saysTrust, type TrustFlags } from './accepted-signers.ts'
import { checkRelease } from './check-release.ts'
import { fetchFiles, findRelease } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { reasonOf, writeNewFile } from './local-file.ts'
import { progressBar } from './progress-bar.ts'
import { bundleFiles, PROVENANCE_FILE } from './release-directory.ts'
import { connect, type RegistryFlags } from './settings.ts'
import { counted } from './terminal.ts'

/** Flags of `hookline pull`. */
export interface PullFlags extends TrustFlags, RegistryFlags {
  readonly ref: string
  readonly out: string
  readonly unverified: boolean
}

/**
 * Downloads a release and writes its files and bundle into a directory, after they were checked: what is on the disk can
 * be used. Throws what the check that failed throws, `file_exists`, `file_unwritable`.
 */
export async function pull(flags: PullFlags, { io, json }: Context): Promise<Outcome> {
  const trusted = saysTrust(flags)
  if (!trusted && !flags.unverified)
    throw new DomainError(
      'usage',
      'say whom to trust: --signer <key or fingerprint>, or --policy <trust.yaml>; or --unverified to look at untrusted bytes',
    )
  if (trusted && flags.unverified)
    throw new DomainError('usage', '--unverified contradicts --signer and --policy')
  const client = await connect(io, flags)
  const found = await findRelease(client, flags.ref)
  const total = found.files.reduce((sum, { size }) => sum + size, 0)
  const bar = progressBar(json ? { ...io, columns: undefined } : io, 'fetching', total)
  const { view, files } = await fetchFiles(client, found, (bytes) => bar.add(bytes)).finally(() => bar.end())
  const ref = releaseRef(view.program, view.version)
  const provenance = found.provenance && (await client.provenance(view.program, view.version))
  const bundles = [view.bundle, ...view.bundles]
  let signers: Signer[] = []
  if (trusted) {
    const keysFrom = () => client.keys(view.program.split('/')[0] ?? '')
    const release = { program: view.program, version: view.version, files, bundles, provenance }
    signers = checkRelease(release, await acceptedSigners(flags, view, keysFrom)).signers
  } else io.note(`WARNING: ${ref} is NOT VERIFIED: nobody checked who made these files. Do not load them.\n`)

  const names = bundleFiles()
  const beside = new Map(bundles.map((text, at) => [names[at] ?? '', Buffer.from(text)]))
  if (provenance !== undefined) beside.set(PROVENANCE_FILE, Buffer.from(provenance))
  const own = [...beside.keys()].find((name) => files.has(name))
  if (own !== undefined) throw new DomainError('file_exists', `the release has a file ${own} of its own`)
  const written = new Map([...files, ...beside])
  await makeOutput(flags.out)
  for (const [name, bytes] of written) await writeNewFile(join(flags.out, name), bytes)
  const [signer] = signers
  const judgement =
    signer === undefined ? 'NOT VERIFIED' : `signed by ${signers.map(signerText).join(' and ')}`
  return {
    json: {
      program: view.program,
      version: view.version,
      verified: signer !== undefined,
      ...(signer === undefined ? {} : { signer, signers }),
      directory: flags.out,
      files: [...written.keys()],
    },
    text: `${ref}, ${judgement}: ${counted(written.size, 'file')} in ${flags.out}`,
  }
}

async function makeOutput(path: string): Promise<void> {
  try {
    await makeDirectory(path)
  } catch (cause) {
    throw new DomainError('file_unwritable', `cannot make ${path}: ${reasonOf(cause)}`, { cause })
  }
}
