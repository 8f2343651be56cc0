import { dirname, resolve } from 'node:path'
import { logTrust } from '../agent/log-trust.ts'
import type { NodePolicy } from '../agent/node-policy.ts'
import { sha256Digest } from '../attest/keys.ts'
import { describePolicy } from '../attest/policy-document.ts'
import { parseTrustedRoot } from '../attest/trusted-root.ts'
import { LIMITS } from '../domain/limits.ts'
import { type PolicySpec, parsePolicySpec } from '../domain/policy-document.ts'
import { parseTrustPolicy } from '../domain/trust-policy.ts'
import { readLocalText } from './local-file.ts'

/** A trust policy with the files that it is made of. */
interface PolicyFiles {
  readonly policy: NodePolicy
  /** trust.yaml, and its trusted root if it names one. */
  readonly paths: readonly string[]
}

/**
 * Reads trust.yaml and the trusted root that it names, whose path is meant from where trust.yaml lies, by all checks that its node
 * makes: the keys of its log are read where they are used, and what is wrong with them is wrong with the file. Throws
 * `file_unreadable`, `invalid_policy`, `not_supported_yet`, `invalid_trusted_root`, `too_large`.
 */
export const readPolicy = async (path: string): Promise<PolicyFiles> => nodePolicy(path, await readText(path))

async function nodePolicy(path: string, text: string): Promise<PolicyFiles> {
  const policy = parseTrustPolicy(text, path)
  logTrust(policy, path)
  const { trustedRoot } = policy
  if (trustedRoot === undefined) return { policy: { ...policy, digest: digestOf(text, '') }, paths: [path] }
  const rootPath = resolve(dirname(path), trustedRoot)
  const rootText = await readLocalText(rootPath, LIMITS.trusted_root_bytes, 'trusted root')
  const root = parseTrustedRoot(rootText)
  return { policy: { ...policy, root, digest: digestOf(text, rootText) }, paths: [path, rootPath] }
}

/** A policy of owners, as they write it, or signed as a revision. */
export interface OwnersPolicy {
  readonly kind: 'owners'
  readonly spec: PolicySpec
  /** Undefined: not signed yet. That the signature holds nodes check, who know the owner's key. */
  readonly signed: { readonly revision: number; readonly owner: string } | undefined
}

/** Reads a policy of either kind: what a node's trust.yaml says, or what owners say for many. Throws as {@link readPolicy}, `policy_document_invalid`. */
export async function readAnyPolicy(
  path: string,
): Promise<OwnersPolicy | { readonly kind: 'node'; readonly policy: NodePolicy }> {
  const text = await readText(path)
  if (SIGNED.test(text)) {
    const { document, owner } = describePolicy(text)
    const { revision, ...spec } = document
    return { kind: 'owners', spec, signed: { revision, owner } }
  }
  if (OF_OWNERS.test(text)) return { kind: 'owners', spec: parsePolicySpec(text, path), signed: undefined }
  return { kind: 'node', policy: (await nodePolicy(path, text)).policy }
}

/** Beginnings by which policies of owners are known: an envelope's (DSSE), and the field that trust.yaml does not have. */
const [SIGNED, OF_OWNERS] = [/^\s*\{\s*"payload/, /^kind\s*:/m]

const readText = (path: string): Promise<string> => readLocalText(path, LIMITS.policy_bytes, 'trust policy')

const digestOf = (...texts: string[]) => sha256Digest(Buffer.from(JSON.stringify(texts)))
