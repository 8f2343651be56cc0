import { signRelease } from '../attest/sign-release.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseRef, releaseRef, Version } from '../domain/names.ts'
import { signerText } from '../domain/signer.ts'
import { acceptedSigners, saysTrust, type TrustFlags } from './accepted-signers.ts'
import { checkRelease } from './check-release.ts'
import { fetchFiles } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { readLocalText } from './local-file.ts'
import { type SigningFlags, signersOf } from './release-signers.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'

/** Flags of `hookline cosign`; `bundle` is a signature that was made elsewhere. */
export interface CosignFlags extends RegistryFlags, SigningFlags, TrustFlags {
  readonly ref: string
  readonly bundle?: string | undefined
}

/**
 * Adds a signature to a release that is published. Its files are fetched, held to their digests, and, where somebody is
 * trusted by the flags, to his signature: who signs what nobody vouched for should have looked at it. Throws what the
 * check throws, what keys throw, and what the registry refuses.
 */
export async function cosign(flags: CosignFlags, { io, progress }: Context): Promise<Outcome> {
  const { program, rest } = parseRef(flags.ref)
  const version = Version.safeParse(rest)
  if (!version.success) throw new DomainError('usage', `name one version: ${program}@1.4.0`)
  const signers = await signersOf(flags, io)
  if ((signers.length === 0) === (flags.bundle === undefined))
    throw new DomainError(
      'usage',
      'name the key that signs, by --key <private key>, or a bundle, by --bundle <file>',
    )
  const client = await connectWithToken(io, flags)
  const ref = releaseRef(program, version.data)
  let view = await client.release(program, version.data)
  const bundles: string[] = []
  if (flags.bundle !== undefined)
    bundles.push(await readLocalText(flags.bundle, LIMITS.bundle_bytes, 'bundle'))
  else {
    const { files } = await fetchFiles(client, view)
    if (saysTrust(flags)) {
      const accepted = await acceptedSigners(flags, view, () => client.keys(program.split('/')[0] ?? ''))
      const provenance = view.provenance && (await client.provenance(program, version.data))
      checkRelease({ ...view, files, bundles: [view.bundle, ...view.bundles], provenance }, accepted)
    } else io.note(`warning: nobody checked who made ${ref}: name whom you trust, by --signer or --policy\n`)
    for (const signer of signers) {
      progress(`signing ${ref} as ${signer.publicKey.fingerprint}`)
      bundles.push(await signRelease({ program, version: version.data, files }, signer))
    }
  }
  for (const bundle of bundles) view = await client.cosign(program, version.data, bundle)
  return { json: view, text: `${ref} is signed by ${view.signers.map(signerText).join(' and ')}` }
}
