import { signPolicy, verifyPolicy } from '../attest/policy-document.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type PolicySpec, parsePolicySpec } from '../domain/policy-document.ts'
import type { Context, Outcome } from './io.ts'
import { readPublicKey } from './key-file.ts'
import { readLocalText, writeNewFile } from './local-file.ts'
import { type SigningFlags, signersOf } from './release-signers.ts'
import { connectWithToken, type RegistryFlags } from './settings.ts'

/** Flags of `hookline trust sign`. */
export interface TrustSignFlags extends SigningFlags {
  readonly file: string
  readonly revision: number
  readonly out: string
}

/** Signs a policy file as a revision, offline, and writes the envelope. Throws `invalid_policy`, `usage`, `file_exists`, what keys throw. */
export async function signTrust(flags: TrustSignFlags, { io }: Context): Promise<Outcome> {
  const spec: PolicySpec = parsePolicySpec(await readLocalText(flags.file, LIMITS.policy_bytes, 'policy'))
  const [owner, other] = await signersOf(flags, io)
  if (owner === undefined || other !== undefined)
    throw new DomainError('usage', 'name the one owner who signs: --key <private key>')
  const { revision } = flags
  await writeNewFile(flags.out, await signPolicy({ ...spec, revision }, owner))
  const { fingerprint } = owner.publicKey
  return {
    json: { name: spec.name, revision, owner: fingerprint, file: flags.out },
    text: `revision ${revision} of policy ${spec.name} is signed by ${fingerprint}: ${flags.out}`,
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
