import { arch, hostname, release } from 'node:os'
import { enrol } from '../agent/enrol.ts'
import { replaceNodeKey } from '../agent/node-key.ts'
import type { Rejoining } from '../agent/rejoin.ts'
import { parsePrivateKey } from '../attest/keys.ts'
import type { Context } from '../cli/io.ts'
import { readSecret } from '../cli/secret.ts'
import type { AgentFlags } from '../cli/service-commands.ts'
import { jsonText } from '../cli/terminal.ts'
import { nodeRegistry } from '../client/node-registry.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { type Identity, type NodeFacts, NodeName } from '../domain/node.ts'
import { parseWith } from '../domain/yaml.ts'
import type { AgentState } from '../ports/agent-state.ts'

type Say = (line: string) => void
type IdentityState = Pick<AgentState, 'identity' | 'saveIdentity'>

/** The node's identity, the one it has or a new one by way of the join token; and with what it may join anew, where a token was given. */
export async function identify(
  flags: AgentFlags,
  state: IdentityState,
  version: string,
  say: Say,
): Promise<{ identity: Identity; rejoining: Rejoining | undefined }> {
  const known = await state.identity()
  if (known === undefined || known.id === '')
    return { identity: await join(flags, state, version, say), rejoining: undefined }
  const identity = await relabelled(known, flags, state, say)
  const joinToken = await joinTokenOf(flags).catch((thrown: unknown) => {
    // the file of a token that was used long ago may be gone
    if (asDomainError(thrown).code === 'file_unreadable') return undefined
    throw thrown
  })
  if (joinToken === undefined) return { identity, rejoining: undefined }
  const registryUrl = flags.registry ?? identity.registry
  return { identity, rejoining: { registryUrl, joinToken, facts: factsOf(identity, version) } }
}

/** A node's labels are those of its enrolment, unless it is given others. */
async function relabelled(
  known: Identity,
  { labels }: AgentFlags,
  state: IdentityState,
  say: Say,
): Promise<Identity> {
  const given = Object.keys(labels).length > 0
  if (!given || JSON.stringify(labels) === JSON.stringify(known.labels)) return known
  say('labels differ from those at enrolment: this node obeys the new ones, the registry lists the old ones')
  const relabelled = { ...known, labels }
  await state.saveIdentity(relabelled)
  return relabelled
}

/** Joins for the first time. Throws `no_registry`, `join_token_refused`, and what {@link enrol} does. */
async function join(flags: AgentFlags, state: IdentityState, version: string, say: Say): Promise<Identity> {
  const { registry, labels } = flags
  if (registry === undefined)
    throw new DomainError('no_registry', 'this node has not joined a registry: pass --registry')
  const joinToken = await joinTokenOf(flags)
  if (joinToken === undefined)
    throw new DomainError(
      'join_token_refused',
      'this node has not joined: pass --join-token-file, or set HOOKLINE_JOIN_TOKEN (see `hookline node token`)',
    )
  const facts = factsOf({ name: nodeName(flags), labels }, version)
  const identity = await enrol(registry, joinToken, facts, state, (key) => nodeRegistry(registry, { key }))
  say(`joined ${registry} as ${identity.name} (${identity.id})`)
  return identity
}

const joinTokenOf = ({ joinToken, joinTokenFile }: AgentFlags): Promise<string | undefined> =>
  readSecret({
    ...{ flag: '--join-token', given: joinToken, file: joinTokenFile },
    fromEnvironment: process.env['HOOKLINE_JOIN_TOKEN'],
  })

const factsOf = ({ name, labels }: Pick<Identity, 'name' | 'labels'>, version: string): NodeFacts => ({
  ...{ name, labels, kernel: release(), arch: arch(), agent: version },
})

/** The name by which this node is to be known. Throws `invalid_name`. */
export const nodeName = (flags: AgentFlags): string =>
  parseWith(NodeName, (flags.name ?? hostname()).toLowerCase(), 'invalid_name', 'name of this node')

/** The registry of a node that has joined. */
export const registryOf = (flags: AgentFlags, { registry, id, privateKey }: Identity) =>
  nodeRegistry(flags.registry ?? registry, { id, key: parsePrivateKey(privateKey) })

/**
 * Replaces the node's key, for somebody who does not want to wait for its age; with --json one document says which it has now.
 * Throws what {@link replaceNodeKey} does, and says so where the new key is kept for the next try.
 */
export async function rotateKey(
  flags: AgentFlags,
  state: IdentityState,
  { io, json }: Context,
  say: Say,
): Promise<void> {
  const identity = await state.identity()
  if (identity === undefined || identity.id === '')
    throw new DomainError('not_found', `no node has joined with the state directory ${flags.state}`)
  const { name } = identity
  try {
    const key = await replaceNodeKey({
      state,
      registry: registryOf(flags, identity),
      clock: () => new Date(),
    })
    if (json) io.write(`${jsonText({ name, key })}\n`)
    else say(`${name} has a new key, ${key}; the one before opens nothing any more`)
  } catch (thrown) {
    const { code, message } = asDomainError(thrown)
    const nextKey = (await state.identity())?.nextKey
    if (nextKey === undefined) throw thrown
    const { fingerprint } = parsePrivateKey(nextKey).publicKey
    const kept = `the new key, ${fingerprint}, is kept, and offered when the agent is started, or by --rotate-key`
    throw new DomainError(code, `${message}; ${kept}`, { cause: thrown })
  }
}

/** The identity with the network namespace that the agent looks after, for those who verify what it runs. */
export async function placed(
  identity: Identity,
  { netns = '' }: AgentFlags,
  state: Pick<AgentState, 'saveIdentity'>,
): Promise<Identity> {
  if (identity.netns === netns) return identity
  const moved = { ...identity, netns }
  await state.saveIdentity(moved)
  return moved
}
