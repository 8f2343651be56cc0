import type { PublicKey } from '../attest/keys.ts'
import { signPolicy, verifyPolicy } from '../attest/policy-document.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type PolicySpec, parsePolicySpec } from '../domain/policy-document.ts'
import type { Context, Outcome } from './io.ts'
import { readPublicKey } from './key-file.ts'
import { readLocalText, writeNewFile } from './local-file.ts'
import { type SigningFlags, signersOf } from './release-signers.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { labelsText, timeText } from './terminal.ts'

/** Flags of `hookline trust sign`. */
export interface TrustSignFlags extends SigningFlags, RegistryFlags {
  readonly file: string
  /** Undefined: the one behind the newest that the registry has. */
  readonly revision?: number | undefined
  readonly out: string
}

/**
 * Signs a policy file as a revision, offline where that is given, and writes the envelope. Throws `invalid_policy`, `usage`,
 * `file_exists`, what keys throw, and what {@link nextRevision} does.
 */
export async function signTrust(flags: TrustSignFlags, { io }: Context): Promise<Outcome> {
  const spec: PolicySpec = parsePolicySpec(
    await readLocalText(flags.file, LIMITS.policy_bytes, 'policy'),
    flags.file,
  )
  const [owner, other] = await signersOf(flags, io)
  if (owner === undefined || other !== undefined)
    throw new DomainError('usage', 'name the one owner who signs: --key <private key>')
  const revision = flags.revision ?? (await nextRevision(spec.name, owner.publicKey, flags, io))
  await writeNewFile(flags.out, await signPolicy({ ...spec, revision }, owner))
  const { fingerprint } = owner.publicKey
  return {
    json: { name: spec.name, revision, owner: fingerprint, file: flags.out },
    text: `revision ${revision} of policy ${spec.name} is signed by ${fingerprint}: ${flags.out}`,
  }
}

/**
 * The revision behind the newest that the registry has, by a policy that this very owner signed: a registry that could name any
 * number could make one signed that leaves no room for another. Throws `usage`, `owner_not_allowed`, `policy_document_invalid`,
 * `signature_invalid`, what the registry's answer throws.
 */
async function nextRevision(
  name: string,
  owner: PublicKey,
  flags: RegistryFlags,
  io: Context['io'],
): Promise<number> {
  const client = await connectWithToken(io, flags).catch((cause: unknown) => {
    if (asDomainError(cause).code !== 'no_registry') throw cause
    const why =
      'say which revision this is: --revision <number>, or name the registry that has the one before'
    throw new DomainError('usage', why, { cause })
  })
  const held = (await client.policies()).find((policy) => policy.name === name)
  if (held === undefined) return 1
  if (held.owner !== owner.fingerprint)
    throw new DomainError(
      'owner_not_allowed',
      `policy ${name} is signed by ${held.owner}: to follow up on it with another key, give --revision`,
    )
  const { document } = verifyPolicy(held.envelope, [owner])
  if (document.name === name) return document.revision + 1
  throw new DomainError('policy_document_invalid', `the registry shows policy ${document.name} as ${name}`)
}

/** Lists the policies of owners that the registry passes on. */
export async function listPolicies(flags: RegistryFlags, { io }: Context): Promise<Outcome> {
  const policies = await (await connectWithToken(io, flags)).policies()
  const rows = policies.map(({ name, revision, selector, appliedAt, owner }) => [
    ...[name, String(revision), labelsText(selector) || 'every node', timeText(appliedAt), owner],
  ])
  const head = ['policy', 'revision', 'nodes', 'since', 'signed by']
  return {
    json: { policies },
    text: policies.length === 0 ? 'no policies' : renderTable(io, head, rows),
  }
}

/** Hands a signed policy in, for the nodes that it is for. Throws what its check and the registry do. */
export async function pushTrust(
  { file, publicKey, ...flags }: RegistryFlags & { file: string; publicKey: string },
  { io }: Context,
): Promise<Outcome> {
  const envelope = await readLocalText(file, LIMITS.policy_envelope_bytes, 'signed policy')
  const key = await readPublicKey(publicKey)
  const { document } = verifyPolicy(envelope, [key])
  const client = await connectWithToken(io, flags)
  const view = await client.putPolicy(document.name, { envelope, publicKey: key.spki.toString('base64') })
  return { json: view, text: `policy ${view.name} is at revision ${view.revision}` }
}
