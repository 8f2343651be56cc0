import { release } from 'node:os'
import { Agent } from '../../src/agent/agent.ts'
import { enrol } from '../../src/agent/enrol.ts'
import type { NodePolicy } from '../../src/agent/node-policy.ts'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'
import { parsePrivateKey } from '../../src/attest/keys.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import type { Labels } from '../../src/domain/function.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { Digest } from '../../src/domain/names.ts'
import type { ChainKernel } from '../../src/ports/chain-kernel.ts'
import { FakeHost, openHost } from '../lab/fake-chain-kernel.ts'
import { memoryState } from './memory-state.ts'

/** What simulated nodes have in common. */
export interface FleetParts {
  readonly registry: string
  readonly joinToken: string
  readonly policy: NodePolicy
  readonly labels: Labels
  /** Files that any of them fetched; undefined: each fetches its own. */
  readonly blobs: Map<Digest, Buffer> | undefined
  /** Told when a node's kernel came to run another chain, or let one go. */
  readonly onChange: (change: KernelChange) => void
  /** What agents say. */
  readonly say: (node: string, line: string) => void
}

/** A change of what a simulated kernel runs. */
export interface KernelChange {
  readonly node: string
  /** When, by the clock that all processes of a machine share (CLOCK_MONOTONIC), in ms. */
  readonly at_ms: number
  readonly chain: string
  /** What came to run on the hook; undefined: nothing does. */
  readonly generation: number | undefined
}

/** Milliseconds of CLOCK_MONOTONIC, the same in all processes of a machine. */
export const monotonic_ms = (): number => Number(process.hrtime.bigint()) / 1e6

/** A simulated node: all of an agent but kernel and disk, which are in memory. */
export interface SimulatedNode {
  readonly name: string
  readonly host: FakeHost
  close(): Promise<void>
}

/** Lets a node join, and starts its agent. Throws what enrolment does. */
export async function startNode(name: string, parts: FleetParts): Promise<SimulatedNode> {
  const { registry, joinToken, policy, labels, say } = parts
  const [host, version] = [new FakeHost(), 'simulated']
  const state = memoryState(parts.blobs ?? new Map())
  const facts = { name, labels, kernel: release(), arch: 'x64', agent: version }
  const identity = await enrol(registry, joinToken, facts, state, (key) => nodeRegistry(registry, { key }))
  const agent = new Agent({
    kernel: watched(openHost(host).kernel, name, parts.onChange),
    state,
    registry: nodeRegistry(registry, { id: identity.id, key: parsePrivateKey(identity.privateKey) }),
    policy: async () => policy,
    policyStamp: async () => '',
    labels,
    netns: '',
    ...{ kernelRelease: release(), kernelBtf: true, arch: 'x64', version },
    clock: () => new Date(),
    verdicts: rememberVerdicts(),
    say: (line) => say(name, line),
    confirm_ms: LIMITS.agent_confirm_ms,
  })
  await agent.start()
  return { name, host, close: () => agent.close() }
}

/** The same kernel, which tells of its changes. */
const watched = (
  kernel: ChainKernel,
  node: string,
  onChange: (change: KernelChange) => void,
): ChainKernel => ({
  ...kernel,
  activate: (site, generation) => {
    const attachment = kernel.activate(site, generation)
    onChange({ node, at_ms: monotonic_ms(), chain: site.key, generation })
    return attachment
  },
  detach: (key) => {
    kernel.detach(key)
    onChange({ node, at_ms: monotonic_ms(), chain: key, generation: undefined })
  },
})
