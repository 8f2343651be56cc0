import { dirname, resolve } from 'node:path'
import type { NodePolicy } from '../agent/node-policy.ts'
import { sha256Digest } from '../attest/keys.ts'
import { parseTrustedRoot } from '../attest/trusted-root.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseTrustPolicy } from '../domain/trust-policy.ts'
import { readLocalText } from './local-file.ts'

/** A trust policy with the files that it is made of. */
interface PolicyFiles {
  readonly policy: NodePolicy
  /** trust.yaml, and its trusted root if it names one. */
  readonly paths: readonly string[]
}

/**
 * Reads trust.yaml and the trusted root that it names, whose path is meant from where trust.yaml lies. Throws
 * `file_unreadable`, `invalid_policy`, `not_supported_yet`, `invalid_trusted_root`, `too_large`.
 */
export async function readPolicy(path: string): Promise<PolicyFiles> {
  const text = await readLocalText(path, LIMITS.policy_bytes, 'trust policy')
  const policy = parseTrustPolicy(text)
  const { trustedRoot } = policy
  if (trustedRoot === undefined) return { policy: { ...policy, digest: digestOf(text, '') }, paths: [path] }
  const rootPath = resolve(dirname(path), trustedRoot)
  const rootText = await readLocalText(rootPath, LIMITS.trusted_root_bytes, 'trusted root')
  const root = parseTrustedRoot(rootText)
  return { policy: { ...policy, root, digest: digestOf(text, rootText) }, paths: [path, rootPath] }
}

const digestOf = (...texts: string[]) => sha256Digest(Buffer.from(JSON.stringify(texts)))
