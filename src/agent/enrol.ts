import { generateKeyPair, type PrivateKey, parsePrivateKey } from '../attest/keys.ts'
import type { Identity, NodeFacts } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'

/**
 * Joins a registry: makes the node's key here, sends its public half with the join token, and keeps the identity. The
 * key is kept before it is sent: when the answer is lost, the next try with the same key gets the same id.
 * Throws `join_token_refused`, `node_exists`, `registry_unavailable`, `file_unwritable`.
 */
export async function enrol(
  registryUrl: string,
  joinToken: string,
  facts: NodeFacts,
  state: Pick<AgentState, 'identity' | 'saveIdentity'>,
  connect: (key: PrivateKey) => Pick<NodeRegistry, 'enrol'>,
): Promise<Identity> {
  const before = await state.identity()
  const identity: Identity = {
    registry: registryUrl,
    id: '',
    name: facts.name,
    labels: facts.labels,
    // of an attempt that failed only the key is kept: all else may have been the mistake
    privateKey: before?.privateKey ?? generateKeyPair('ed25519').privateKey,
    keySince: before?.keySince ?? new Date().toISOString(),
  }
  await state.saveIdentity(identity)
  const key = parsePrivateKey(identity.privateKey)
  const publicKey = key.publicKey.spki.toString('base64')
  const { id } = await connect(key).enrol({ token: joinToken, publicKey, facts })
  const joined = { ...identity, id }
  await state.saveIdentity(joined)
  return joined
}
