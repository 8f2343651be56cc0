import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair, parsePrivateKey } from '../attest/keys.ts'
import { asDomainError, DomainError, type ErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { NodeFacts } from '../domain/node.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { type NodeKeyParts, replaceNodeKey } from './node-key.ts'

/** What it takes to join a registry anew. */
export interface RejoinParts extends NodeKeyParts {
  readonly registry: NodeKeyParts['registry'] & Pick<NodeRegistry, 'desired' | 'enrol'>
  readonly say: (line: string) => void
}

/** With what a node joins anew, and where. */
export interface Rejoining {
  readonly registryUrl: string
  readonly joinToken: string
  readonly facts: NodeFacts
}

/** Why a registry does not know a node by its key. */
const REFUSALS: ReadonlySet<ErrorCode> = new Set(['node_unauthenticated', 'node_key_retired'])
/** What another try with the same token does not change. */
const FINAL: ReadonlySet<ErrorCode> = new Set(['join_token_refused', 'label_not_allowed'])

/**
 * Joins the registry anew where it refuses the node's key, as one does that was restored to a time before that key. All that the
 * node keeps stays: orders, proofs, revocations, what it saw of the logs. It joins under a new key, since somebody else who has
 * the one before may be why that is refused. Asks again until the registry answers, and while another key has the node's name.
 * Ends when the registry knows the node, when it refuses the token, or with `signal`. Never rejects.
 */
export async function rejoinWhereRefused(
  parts: RejoinParts,
  rejoining: Rejoining,
  signal: AbortSignal,
): Promise<void> {
  let said = ''
  while (!signal.aborted) {
    try {
      if (await isKnown(parts, signal)) return
      parts.say(await rejoin(parts, rejoining))
      return
    } catch (thrown) {
      if (signal.aborted) return
      const { code, message, remedy } = asDomainError(thrown)
      const then = code === 'node_exists' ? removal(rejoining.facts.name) : remedy
      const line = `this node is not joined anew: ${message} [${code}]; ${then}`
      // a registry that is away is the agent's to tell of
      if (code !== 'registry_unavailable' && line !== said) parts.say(line)
      said = line
      if (FINAL.has(code)) return
    }
    await sleep(LIMITS.node_key_retry_ms, undefined, { signal, ref: false }).catch(() => {})
  }
}

/** Whether the registry takes the node's requests, by the key that it has or the one that it was about to have. */
async function isKnown(parts: RejoinParts, signal: AbortSignal): Promise<boolean> {
  try {
    await parts.registry.desired(undefined, 0, signal)
    return true
  } catch (thrown) {
    if (!REFUSALS.has(asDomainError(thrown).code)) throw thrown
  }
  if ((await parts.state.identity())?.nextKey === undefined) return false
  try {
    await replaceNodeKey(parts)
    return true
  } catch (thrown) {
    if (!REFUSALS.has(asDomainError(thrown).code)) throw thrown
    return false
  }
}

/** Joins; gives what to say of it. The key is kept before it is sent: when the answer is lost, the next try gets the same id. */
async function rejoin(
  { state, registry, clock }: RejoinParts,
  { registryUrl, joinToken, facts }: Rejoining,
): Promise<string> {
  const before = await state.identity()
  if (before === undefined)
    throw new DomainError('node_unauthenticated', 'this node has not joined a registry')
  const privateKey = before.nextKey ?? generateKeyPair('ed25519').privateKey
  if (before.nextKey === undefined) await state.saveIdentity({ ...before, nextKey: privateKey })
  const key = parsePrivateKey(privateKey)
  const publicKey = key.publicKey.spki.toString('base64')
  const { id } = await registry.enrol({ token: joinToken, publicKey, facts }, key)
  const { nextKey: _, ...kept } = before
  await state.saveIdentity({
    ...kept,
    registry: registryUrl,
    id,
    privateKey,
    keySince: clock().toISOString(),
  })
  return `the registry refused this node's key: joined ${registryUrl} anew as ${facts.name} (${id}) with the key ${key.publicKey.fingerprint}; orders, proofs and what was seen of the logs are kept`
}

const removal = (name: string): string =>
  `an operator makes room for it: hookline node remove ${name}; it is tried again until then`
