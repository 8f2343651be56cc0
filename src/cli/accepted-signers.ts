import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import type { TrustedRoot } from '../attest/trusted-root.ts'
import { DomainError } from '../domain/errors.ts'
import { Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import type { KeyView } from '../domain/namespace.ts'
import { requireMinVersion } from '../domain/release-rules.ts'
import { IdentityRule, type SignerRule } from '../domain/signer.ts'
import { acceptedBy, type ProgramRule, ruleFor } from '../domain/trust-policy.ts'
import { parseWith } from '../domain/yaml.ts'
import { readPublicKey } from './key-file.ts'
import { readPolicy } from './policy-file.ts'
import { readTrustedRoot } from './trusted-root.ts'

/** How a person says whom they trust: keys by file or fingerprint, an identity, or a node's trust policy. */
export interface TrustFlags {
  readonly signer: readonly string[]
  readonly policy?: string | undefined
  /** One accepted identity, with its issuer and a file with the trusted root. */
  readonly identity?: string | undefined
  readonly issuer?: string | undefined
  readonly trustedRoot?: string | undefined
  /** How many of the accepted must have signed. */
  readonly minSigners?: number | undefined
}

/** Whose signature counts for one release, and by which rule. */
export interface AcceptedSigners {
  readonly allowed: readonly SignerRule[]
  /** What vouches for identities. */
  readonly root?: TrustedRoot | undefined
  readonly keys: readonly PublicKey[]
  readonly minSigners: number
  /** The rule of the policy, where one is named. */
  readonly policyRule?: ProgramRule | undefined
  /** For people: what made them accepted. */
  readonly rule: string
}

/** Whether anything was said about trust at all. Throws `usage` when two different things were. */
export function saysTrust({ signer, policy, identity, issuer, trustedRoot }: TrustFlags): boolean {
  const named = signer.length > 0 || identity !== undefined
  if (named && policy !== undefined)
    throw new DomainError('usage', 'give --signer and --identity, or --policy, not both')
  if (
    (identity === undefined) !== (issuer === undefined) ||
    (identity === undefined) !== (trustedRoot === undefined)
  )
    throw new DomainError('usage', 'an identity needs all of --identity, --issuer and --trusted-root')
  return named || policy !== undefined
}

/**
 * The signers accepted for a release. A fingerprint needs its key: `keysFrom` may offer some, and as each is named by its
 * own fingerprint the source need not be trusted. Throws `policy_denied`, `below_min_version`, `invalid_policy`,
 * `invalid_key`, `file_unreadable`, and `usage` for a fingerprint that is none.
 */
export async function acceptedSigners(
  flags: TrustFlags,
  { program, version }: { program: ProgramId; version: string },
  keysFrom: () => Promise<readonly KeyView[]>,
): Promise<AcceptedSigners> {
  const { policy } = flags
  const found =
    policy === undefined ? await namedSigners(flags) : await policySigners(policy, program, version)
  const own = { ...found, minSigners: flags.minSigners ?? found.minSigners }
  const known = new Set(own.keys.map(({ fingerprint }) => fingerprint))
  const vouchers = own.policyRule?.provenance?.signers ?? []
  const wanted = [...own.allowed, ...acceptedBy({ signers: vouchers })]
  if (wanted.every((rule) => typeof rule !== 'string' || known.has(rule))) return own
  const offered = (await keysFrom())
    .map(({ publicKey }) => readOffered(publicKey))
    .filter((key) => key !== undefined)
  return { ...own, keys: [...own.keys, ...offered] }
}

async function namedSigners({ signer: signers, ...flags }: TrustFlags): Promise<AcceptedSigners> {
  const allowed: SignerRule[] = []
  const { identity, issuer, trustedRoot } = flags
  if (identity !== undefined && issuer !== undefined)
    allowed.push(parseWith(IdentityRule, { identity, issuer }, 'usage', '--identity'))
  const root = trustedRoot === undefined ? undefined : await readTrustedRoot(trustedRoot)
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
  return { allowed, keys, root, minSigners: 1, rule: identity === undefined ? '--signer' : '--identity' }
}

async function policySigners(path: string, program: ProgramId, version: string): Promise<AcceptedSigners> {
  const { policy } = await readPolicy(path)
  const rule = ruleFor(policy, program)
  if (rule === undefined)
    throw new DomainError('policy_denied', `no rule of ${path} matches ${releaseRef(program, version)}`)
  requireMinVersion(rule, program, version)
  const { root } = policy
  const { minSigners } = rule
  const named = { policyRule: rule, rule: `"${rule.match}" of ${path}` }
  return { allowed: acceptedBy(rule), keys: [], root, minSigners, ...named }
}

/** A key that the registry offers but that cannot be read helps nobody, and hinders nobody. */
function readOffered(text: string): PublicKey | undefined {
  try {
    return parsePublicKey(text)
  } catch {
    return undefined
  }
}
