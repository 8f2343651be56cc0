import { type PublicKey, parsePublicKey } from '../attest/keys.ts'
import type { Desired } from '../domain/node.ts'
import type { AgentState } from '../ports/agent-state.ts'

/** Keys that can be read, SPKI DER in base64; a registry may send anything. */
export function readableKeys(texts: readonly string[]): PublicKey[] {
  return [...new Set(texts)].flatMap((text) => {
    try {
      return [parsePublicKey(Buffer.from(text, 'base64'))]
    } catch {
      return [] // a key that nobody can read can accept nothing
    }
  })
}

/** The keys that came with what a node was sent, and with what is ordered and runs there: one counts where a policy names it. */
export async function keysAtHand(
  desired: Pick<Desired, 'keys'>,
  state: Pick<AgentState, 'acceptedOrders' | 'proven'>,
): Promise<PublicKey[]> {
  const [orders, proven] = [await state.acceptedOrders(), await state.proven()]
  return readableKeys([
    ...desired.keys,
    ...[...orders, ...proven].map(({ operatorKey }) => operatorKey),
    ...proven.flatMap(({ keys, before }) => [...keys, ...(before?.keys ?? [])]),
  ])
}
