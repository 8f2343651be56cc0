import type { DomainError } from '../domain/errors.ts'
import type { Labels } from '../domain/function.ts'
import type { ChainRecord } from '../domain/generation.ts'
import type { AgentState } from '../ports/agent-state.ts'
import { candidate, firstOf } from './candidate.ts'
import { hooksOfInstance, isUndone, type RunningRecord, revokedPartsOf } from './chain-record.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators, reviewOrders, type Standing } from './orders.ts'
import type { PreparedFunction, PrepareParts } from './prepare.ts'
import { readableKeys } from './readable-keys.ts'

/** A function that this node accepted an order of, and all that it may run of it now. */
export interface FunctionChoice {
  readonly standing: Standing
  /** What it may run, what an agent would try first in front; none where nothing that is kept lets it run. */
  readonly allowed: readonly PreparedFunction[]
  /** What is wrong with the first that an agent would have tried. */
  readonly problem: DomainError | undefined
}

/** What an agent remembers, and what of it runs. */
export interface Remembered {
  readonly records: readonly ChainRecord[]
  readonly running: readonly RunningRecord[]
}

/**
 * What a node's accepted orders let it run, decided as by an agent, from what is kept alone; `parts` are those of
 * {@link keptParts}. Throws `file_unreadable`.
 */
export async function functionChoices(
  parts: PrepareParts,
  policy: NodePolicy,
  labels: Labels,
  state: Pick<AgentState, 'acceptedOrders' | 'desired' | 'proven'>,
  { records, running }: Remembered,
): Promise<FunctionChoice[]> {
  const [held, proven, desired] = [await state.acceptedOrders(), await state.proven(), await state.desired()]
  const keys = readableKeys([...(desired?.keys ?? []), ...held.map(({ operatorKey }) => operatorKey)])
  // what a registry sends, or withholds, is no matter here
  const sent = held.filter(({ elsewhere }) => elsewhere === undefined)
  const { standings } = reviewOrders(sent, held, acceptedOperators(keys, policy.operators), labels)
  const source = { resolutions: desired?.resolutions ?? [], releases: desired?.releases ?? [], keys }
  const chains = {
    undid: (ready: PreparedFunction) => isUndone(records, ready),
    hooksOf: (name: string, instance: string) => hooksOfInstance(running, name, instance),
    revokedParts: () => revokedPartsOf(running, parts.vetting.isRevoked),
  }
  const choices: FunctionChoice[] = []
  for (const standing of standings) {
    const last = proven.find((one) => one.function === standing.name)
    const takenBack = held.find(({ name }) => name === standing.name)?.takenBack
    const { ready, problem, fallbacks } = await candidate(parts, source, standing, policy, {
      ...{ last, before: last?.before, takenBack, chains },
    })
    const allowed: PreparedFunction[] = []
    for (let next = ready; next !== undefined; next = await firstOf(fallbacks)) allowed.push(next)
    choices.push({ standing, allowed, problem })
  }
  return choices
}
