import { signRevocation } from '../attest/revocation.ts'
import { DomainError } from '../domain/errors.ts'
import type { RevocationReason, Revoked } from '../domain/log-entry.ts'
import { Digest, type ProgramId, parseRef, Version } from '../domain/names.ts'
import { type Revocation, revokedText } from '../domain/revocation.ts'
import { signerText } from '../domain/signer.ts'
import type { Context, Outcome } from './io.ts'
import { type PassphraseFlags, readPrivateKey } from './key-file.ts'
import { type KeylessFlags, servicesOf, tokenToSign } from './keyless.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'

/** Flags of `hookline revoke`; `what` is `namespace/name@version`, or the digest of a file. */
export interface RevokeFlags extends RegistryFlags, PassphraseFlags, KeylessFlags {
  readonly what: string
  readonly key?: string | undefined
  readonly reason: RevocationReason
  readonly message: string
}

/**
 * Signs that nodes must stop running something, by a key or by the identity of a pipeline's job, and hands it in. Throws
 * `invalid_name`, `invalid_key`, `usage`, `ci_token_failed`, `signing_failed`, what the registry refuses.
 */
export async function revoke(
  { what, reason, message, ...flags }: RevokeFlags,
  { io, progress }: Context,
): Promise<Outcome> {
  const revocation = { revoked: revokedOf(what), reason, message, at: new Date().toISOString() }
  const envelope = await signed(revocation, what, flags, { io, progress })
  const view = await (await connectWithToken(io, flags)).revoke(envelope)
  return {
    json: view,
    text: `${what} is revoked: nodes that accept ${signerText(view.signer)} for it stop running it, and never run it again`,
  }
}

async function signed(
  revocation: Revocation,
  what: string,
  flags: Pick<RevokeFlags, 'key' | 'passphraseFile'> & KeylessFlags,
  { io, progress }: Pick<Context, 'io' | 'progress'>,
): Promise<string> {
  if ((flags.key === undefined) !== flags.keyless)
    throw new DomainError('usage', 'say who signs: --key <private key>, or --keyless in a pipeline’s job')
  if (flags.key === undefined) {
    const token = await tokenToSign(io)
    progress(`signing the revocation of ${what} by this job’s identity`)
    const { signRevocationKeyless } = await import('../attest/sign-keyless.ts')
    return signRevocationKeyless(revocation, token, await servicesOf(flags))
  }
  const key = await readPrivateKey(flags.key, io, flags)
  progress(`signing the revocation of ${what} as ${key.fingerprint}`)
  return signRevocation(revocation, key)
}

/** What is to be revoked. Throws `invalid_name`. */
function revokedOf(what: string): Revoked {
  const digest = Digest.safeParse(what)
  if (digest.success) return { kind: 'file', digest: digest.data }
  const { program, rest: version } = parseRef(what)
  if (!Version.safeParse(version).success)
    throw new DomainError('invalid_name', `name a release, ${program}@<version>, or a file by its digest`)
  return { kind: 'release', program, version }
}

/** Lists revocations, the newest first. */
export async function listRevocations(
  { program, ...flags }: RegistryFlags & { program?: ProgramId | undefined },
  { io }: Context,
): Promise<Outcome> {
  const revocations = await (await connect(io, flags)).revocations(program)
  const rows = revocations.map(({ revoked, reason, signer, at, message }) => [
    ...[revokedText(revoked), reason, at.slice(0, 10), signerText(signer), message],
  ])
  const head = ['revoked', 'reason', 'signed', 'by', 'message']
  return {
    json: { revocations },
    text: rows.length === 0 ? 'nothing is revoked' : renderTable(io, head, rows),
  }
}
