import type { AgentState } from '../ports/agent-state.ts'
import { sameProof } from './proof.ts'
import type { FunctionStatus } from './reporter.ts'

/** Remembers what was made of the functions of these names, so that it is not made again. */
export async function markTakenBack(
  state: Pick<AgentState, 'acceptedOrders' | 'saveAcceptedOrder'>,
  statuses: readonly FunctionStatus[],
  names: ReadonlySet<string>,
): Promise<void> {
  for (const order of await state.acceptedOrders()) {
    const made = statuses.find(({ name }) => name === order.name)?.made
    if (names.has(order.name) && made !== undefined)
      await state.saveAcceptedOrder({ ...order, takenBack: made })
  }
}

/** A first build that is taken back is nothing to fall back to. */
export async function forgetProofs(
  state: Pick<AgentState, 'proven' | 'removeProven'>,
  statuses: readonly FunctionStatus[],
  names: ReadonlySet<string>,
): Promise<void> {
  for (const kept of await state.proven()) {
    const proof = statuses.find(({ name }) => name === kept.function)?.proof
    if (names.has(kept.function) && sameProof(proof, kept)) await state.removeProven(kept.function)
  }
}

/** What was taken back was not to blame: it may be made again. */
export async function allowTakenBack(
  state: Pick<AgentState, 'acceptedOrders' | 'saveAcceptedOrder'>,
): Promise<void> {
  for (const { takenBack, ...order } of await state.acceptedOrders())
    if (takenBack !== undefined) await state.saveAcceptedOrder(order)
}
