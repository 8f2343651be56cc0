import { setTimeout as sleep } from 'node:timers/promises'
import { generateKeyPair, parsePrivateKey } from '../attest/keys.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Identity } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { Clock } from '../ports/clock.ts'
import type { KeyChanger } from '../ports/node-registry.ts'

/** What it takes to replace a node's key. */
export interface NodeKeyParts {
  readonly state: Pick<AgentState, 'identity' | 'saveIdentity'>
  readonly registry: KeyChanger
  readonly clock: Clock
}

/**
 * Replaces the node's key. The new one is kept before it is sent, and the old one until the new one is proven: whatever is lost
 * on the way, the node has the key that the registry knows, and the next try ends it. Gives the new key's fingerprint.
 * Throws `node_unauthenticated` for a node that has not joined, and what {@link KeyChanger.changeKey} does.
 */
export async function replaceNodeKey({ state, registry, clock }: NodeKeyParts): Promise<string> {
  const before = await state.identity()
  if (before === undefined || before.id === '')
    throw new DomainError('node_unauthenticated', 'this node has not joined a registry')
  const nextKey = before.nextKey ?? generateKeyPair('ed25519').privateKey
  if (before.nextKey === undefined) await state.saveIdentity({ ...before, nextKey })
  const key = parsePrivateKey(nextKey)
  await registry.changeKey(key)
  const { nextKey: _, ...identity } = before
  await state.saveIdentity({ ...identity, privateKey: nextKey, keySince: clock().toISOString() })
  return key.publicKey.fingerprint
}

/** Whether a key is to be replaced: an attempt is not done, or it is `age_s` old, or nobody knows how old. 0: only the former. */
function isKeyDue({ keySince, nextKey }: Identity, age_s: number, now: Date): boolean {
  if (nextKey !== undefined) return true
  if (age_s === 0) return false
  return keySince === undefined || now.getTime() - Date.parse(keySince) >= age_s * 1000
}

/** Replaces the node's key whenever it is `age_s` old, and ends what an attempt before left, until `signal`. Never rejects. */
export async function keepNodeKeyYoung(
  parts: NodeKeyParts & { readonly say: (line: string) => void },
  age_s: number,
  signal: AbortSignal,
): Promise<void> {
  let said = ''
  while (!signal.aborted) {
    let wait_ms: number = LIMITS.node_key_look_ms
    try {
      const identity = await parts.state.identity()
      if (identity !== undefined && isKeyDue(identity, age_s, parts.clock()))
        parts.say(`this node has a new key, ${await replaceNodeKey(parts)}`)
      said = ''
    } catch (thrown) {
      const { code, message } = asDomainError(thrown)
      wait_ms = LIMITS.node_key_retry_ms
      const line = `the key of this node is not replaced yet: ${message} [${code}]`
      if (line !== said) parts.say(line)
      said = line
    }
    await sleep(wait_ms, undefined, { signal, ref: false }).catch(() => {})
  }
}
