import type { ChainRecord } from '../../src/domain/generation.ts'
import type { BelievedRevocation, KeptLog } from '../../src/domain/kept-log.ts'
import type { LogName } from '../../src/domain/log.ts'
import type { Digest } from '../../src/domain/names.ts'
import type { AcceptedOrder, Desired, Identity, Proven } from '../../src/domain/node.ts'
import type { AcceptedPolicy } from '../../src/domain/policy-document.ts'
import type { AgentState } from '../../src/ports/agent-state.ts'

/**
 * The state of an agent in memory. A simulated fleet shares the disk of one machine, which real nodes do not: files would make
 * them wait for each other. `blobs` are shared: what many nodes fetch is kept once.
 */
export function memoryState(blobs: Map<Digest, Buffer>): AgentState {
  const orders = new Map<string, AcceptedOrder>()
  const policies = new Map<string, AcceptedPolicy>()
  const proven = new Map<string, Proven>()
  const logs = new Map<LogName, KeptLog>()
  const revocations = new Map<Digest, BelievedRevocation>()
  const chains = new Map<string, ChainRecord>()
  const seen = new Map<Digest, Date>()
  let [identity, desired]: [Identity | undefined, Desired | undefined] = [undefined, undefined]
  return {
    identity: async () => identity,
    saveIdentity: async (saved) => {
      identity = saved
    },
    acceptedOrders: async () => [...orders.values()],
    saveAcceptedOrder: async (order) => void orders.set(order.name, order),
    acceptedPolicies: async () => [...policies.values()],
    saveAcceptedPolicy: async (policy) => void policies.set(policy.name, policy),
    desired: async () => desired,
    saveDesired: async (saved) => {
      desired = saved
    },
    proven: async () => [...proven.values()],
    saveProven: async (saved) => void proven.set(saved.function, saved),
    removeProven: async (name) => void proven.delete(name),
    log: async (name) => logs.get(name),
    saveLog: async (name, kept) => void logs.set(name, kept),
    revocations: async () => [...revocations.values()],
    saveRevocation: async (revocation) => void revocations.set(revocation.digest, revocation),
    blob: async (digest) => blobs.get(digest),
    saveBlob: async (digest, bytes) => void blobs.set(digest, bytes),
    collectBlobs: async () => {}, // another node may want them
    releaseSeen: async (content, now) => {
      const first = seen.get(content) ?? now
      seen.set(content, first)
      return first
    },
    chains: async () => [...chains.values()],
    saveChain: async (record) => void chains.set(record.key, record),
    removeChain: async (key) => void chains.delete(key),
    saveVerifierLog: async (name) => name,
    saveStatus: async () => {},
  }
}
