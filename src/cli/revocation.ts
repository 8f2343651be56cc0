import type { PublicKey } from '../attest/keys.ts'
import { describeRevocation, signRevocation, verifyRevocation } from '../attest/revocation.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { RevocationReason, Revoked } from '../domain/log-entry.ts'
import { Digest, type ProgramId, parseRef, Version } from '../domain/names.ts'
import { type Revocation, type RevocationView, revokedText } from '../domain/revocation.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import type { Context, Outcome } from './io.ts'
import { type PassphraseFlags, readPrivateKey } from './key-file.ts'
import { type KeylessFlags, servicesOf, tokenToSign } from './keyless.ts'
import { type LoggedRevocation, requireLoggedRevocation, revocationDemand } from './logged-revocation.ts'
import { connect, connectLog, connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { printable, timeText } from './terminal.ts'

/** Flags of `hookline revoke`; `what` is `namespace/name@version`, or the digest of a file. */
export interface RevokeFlags extends RegistryFlags, PassphraseFlags, KeylessFlags {
  readonly what: string
  readonly key?: string | undefined
  readonly reason: RevocationReason
  readonly message: string
  /** What the logs are held to. */
  readonly logKey: readonly string[]
  readonly policy?: string | undefined
  readonly state?: string | undefined
}

/**
 * Signs that nodes must stop running something, by a key or by the identity of a pipeline's job, hands it in, and checks that
 * both logs have it. Throws `invalid_name`, `invalid_key`, `usage`, `ci_token_failed`, `signing_failed`, what the registry refuses,
 * `registry_answer` for one that is not this signer's, and as {@link requireLoggedRevocation}.
 */
export async function revoke(
  { what, reason, message, ...flags }: RevokeFlags,
  { io, progress }: Context,
): Promise<Outcome> {
  const revocation = { revoked: revokedOf(what), reason, message, at: new Date().toISOString() }
  const own = await signed(revocation, what, flags, { io, progress })
  const logs = await connectLog(io, flags)
  const demand = await revocationDemand({ ...flags, offline: false }, logs.registry, io)
  const view = await (await connectWithToken(io, flags)).revoke(own.envelope)
  const isNew = view.envelope === own.envelope
  const { message: why } = isNew ? revocation : revokedBefore(view, revocation, own.key)
  const places = demand && (await requireLoggedRevocation(logs, demand, view))
  const lines = saidOf(`${what} is revoked (${why})`, own.key?.fingerprint ?? view.signer, places)
  return {
    json: { ...view, log: places === undefined ? { checked: false } : { checked: true, ...places } },
    text: [...(isNew ? [] : ['this signer revoked it before, which stays as it was:']), ...lines].join('\n'),
  }
}

/** What is known of a revocation once it was handed in: without the logs, the registry's word alone. */
function saidOf(revoked: string, signer: Signer, places: LoggedRevocation | undefined): string[] {
  const stop = `accept ${printable(signerText(signer))} for it stop running it, and never run it again`
  return places === undefined
    ? [
        `the registry says that ${revoked}; nodes that it tells so and that ${stop}`,
        'whether its logs have it was not checked: no key of them is known here; pass --log-key or --policy',
      ]
    : [
        `${revoked}: nodes that ${stop}`,
        `it is entry ${places.catalog} of the log of the catalog, and ${places.revocations} of that of revocations`,
      ]
}

/**
 * What a signer revoked before, when the registry answers with that. Of a signature by an identity, which takes a trusted root, only
 * what it is of is compared. Throws `registry_answer`.
 */
function revokedBefore(
  { envelope }: RevocationView,
  { revoked }: Revocation,
  key: PublicKey | undefined,
): Revocation {
  const before = readAs(envelope, key)
  if (revokedText(before.revoked) !== revokedText(revoked))
    throw new DomainError('registry_answer', 'the registry answered with a revocation of something else')
  return before
}

function readAs(envelope: string, key: PublicKey | undefined): Revocation {
  try {
    return key === undefined
      ? describeRevocation(envelope)
      : verifyRevocation(envelope, [key], { allowed: [], root: undefined }).revocation
  } catch (cause) {
    const { message } = asDomainError(cause)
    throw new DomainError('registry_answer', `the registry answered with another revocation: ${message}`, {
      cause,
    })
  }
}

/** A revocation as it was signed, and the key that it was signed with; none for an identity. */
interface SignedHere {
  readonly envelope: string
  readonly key?: PublicKey
}

async function signed(
  revocation: Revocation,
  what: string,
  flags: Pick<RevokeFlags, 'key' | 'passphraseFile'> & KeylessFlags,
  { io, progress }: Pick<Context, 'io' | 'progress'>,
): Promise<SignedHere> {
  if ((flags.key === undefined) !== flags.keyless)
    throw new DomainError('usage', 'say who signs: --key <private key>, or --keyless in a pipeline’s job')
  if (flags.key === undefined) {
    const token = await tokenToSign(io)
    progress(`signing the revocation of ${what} by this job’s identity`)
    const { signRevocationKeyless } = await import('../attest/sign-keyless.ts')
    return { envelope: await signRevocationKeyless(revocation, token, await servicesOf(flags)) }
  }
  const key = await readPrivateKey(flags.key, io, flags)
  progress(`signing the revocation of ${what} as ${key.fingerprint}`)
  return { envelope: signRevocation(revocation, key), key: key.publicKey }
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
    ...[revokedText(revoked), reason, timeText(at), signerText(signer), message],
  ])
  const head = ['revoked', 'reason', 'signed', 'by', 'message']
  return {
    json: { revocations },
    text: rows.length === 0 ? 'nothing is revoked' : renderTable(io, head, rows),
  }
}
