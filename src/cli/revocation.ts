import { signRevocation } from '../attest/revocation.ts'
import { DomainError } from '../domain/errors.ts'
import type { RevocationReason, Revoked } from '../domain/log-entry.ts'
import { Digest, type ProgramId, parseRef, Version } from '../domain/names.ts'
import { revokedText } from '../domain/revocation.ts'
import type { Context, Outcome } from './io.ts'
import { type PassphraseFlags, readPrivateKey } from './key-file.ts'
import { connect, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'

/** Flags of `hookline revoke`; `what` is `namespace/name@version`, or the digest of a file. */
export interface RevokeFlags extends RegistryFlags, PassphraseFlags {
  readonly what: string
  readonly key: string
  readonly reason: RevocationReason
  readonly message: string
}

/** Signs that nodes must stop running something, and hands it in. Throws `invalid_name`, `invalid_key`, what the registry refuses. */
export async function revoke(
  { what, key: path, reason, message, ...flags }: RevokeFlags,
  { io, progress }: Context,
): Promise<Outcome> {
  const revoked = revokedOf(what)
  const key = await readPrivateKey(path, io, flags)
  progress(`signing the revocation of ${what} as ${key.fingerprint}`)
  const envelope = signRevocation({ revoked, reason, message, at: new Date().toISOString() }, key)
  const view = await (await connectWithToken(io, flags)).revoke(envelope)
  return {
    json: view,
    text: `${what} is revoked: nodes that accept ${key.fingerprint} for it stop running it, and never run it again`,
  }
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
    ...[revokedText(revoked), reason, at.slice(0, 10), signer, message],
  ])
  const head = ['revoked', 'reason', 'signed', 'by', 'message']
  return {
    json: { revocations },
    text: rows.length === 0 ? 'nothing is revoked' : renderTable(io, head, rows),
  }
}
