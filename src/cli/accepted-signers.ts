import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import type { KeyView } from '../domain/namespace.ts'
import { parseTrustPolicy, requireMinVersion, ruleFor, signerKeys } from '../domain/trust-policy.ts'
import { readPublicKey } from './key-file.ts'
import { readLocalText } from './local-file.ts'

/** How a person says whom they trust: keys by file or fingerprint, or a node's trust policy. */
export interface TrustFlags {
  readonly signer: readonly string[]
  readonly policy?: string | undefined
}

/** Whose signature counts for one release, and by which rule. */
export interface AcceptedSigners {
  readonly allowed: readonly Digest[]
  readonly keys: readonly PublicKey[]
  /** For people: what made them accepted. */
  readonly rule: string
}

/** Whether anything was said about trust at all. Throws `usage` when two different things were. */
export function saysTrust({ signer, policy }: TrustFlags): boolean {
  if (signer.length > 0 && policy !== undefined)
    throw new DomainError('usage', 'give --signer or --policy, not both')
  return signer.length > 0 || policy !== undefined
}

/**
 * The signers accepted for a release. A fingerprint needs its key: `keysFrom` may offer some, and as each is named by its
 * own fingerprint the source need not be trusted. Throws `policy_denied`, `below_min_version`, `invalid_policy`,
 * `invalid_key`, `file_unreadable`, and `usage` for a fingerprint that is none.
 */
export async function acceptedSigners(
  { signer, policy }: TrustFlags,
  { program, version }: { program: ProgramId; version: string },
  keysFrom: () => Promise<readonly KeyView[]>,
): Promise<AcceptedSigners> {
  const own =
    policy === undefined ? await namedSigners(signer) : await policySigners(policy, program, version)
  const known = new Set(own.keys.map(({ fingerprint }) => fingerprint))
  if (own.allowed.every((fingerprint) => known.has(fingerprint))) return own
  const offered = (await keysFrom())
    .map(({ publicKey }) => readOffered(publicKey))
    .filter((key) => key !== undefined)
  return { ...own, keys: [...own.keys, ...offered] }
}

async function namedSigners(signers: readonly string[]): Promise<AcceptedSigners> {
  const allowed: Digest[] = []
  const keys: PublicKey[] = []
  for (const signer of signers) {
    if (Digest.safeParse(signer).success) allowed.push(signer)
    else if (signer.startsWith('sha256:'))
      throw new DomainError(
        'usage',
        `--signer ${signer}: a fingerprint has 64 hexadecimal digits, in lower case`,
      )
    else {
      const key = await readPublicKey(signer)
      allowed.push(key.fingerprint)
      keys.push(key)
    }
  }
  return { allowed, keys, rule: '--signer' }
}

async function policySigners(path: string, program: ProgramId, version: string): Promise<AcceptedSigners> {
  const policy = parseTrustPolicy(await readLocalText(path, LIMITS.policy_bytes, 'trust policy'))
  const rule = ruleFor(policy, program)
  if (rule === undefined)
    throw new DomainError('policy_denied', `no rule of ${path} matches ${releaseRef(program, version)}`)
  requireMinVersion(rule, program, version)
  return { allowed: signerKeys(rule), keys: [], rule: `"${rule.match}" of ${path}` }
}

/** A key that the registry offers but that cannot be read helps nobody, and hinders nobody. */
function readOffered(text: string): PublicKey | undefined {
  try {
    return parsePublicKey(text)
  } catch {
    return undefined
  }
}
