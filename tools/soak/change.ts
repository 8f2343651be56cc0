import { pick, type Random } from '../fuzz/random.ts'

/** A member of the chain that is soaked. */
export interface Member {
  /** Owns the state maps. */
  readonly instance: string
  readonly program: 'guard' | 'count'
  readonly release: 1 | 2
  /** Goes into the constants of the program. */
  readonly label: number
}

/** What happens to a chain. */
export const CHANGES = ['insert', 'remove', 'reorder', 'upgrade', 'configure', 'rollback'] as const
export type Change = (typeof CHANGES)[number]

/** In every chain: what drops the packets that must not escape, and what has counted every packet that reached it. */
export const [GUARD, WITNESS] = ['guard', 'witness'] as const
const [FEWEST, MOST] = [3, 8] as const

const counter = (instance: string): Member => ({ instance, program: 'count', release: 1, label: 0 })

/** The chain that a soak begins with. */
export const FIRST: readonly Member[] = [
  counter(WITNESS),
  { instance: GUARD, program: 'guard', release: 1, label: 0 },
  counter('count-1'),
  counter('count-2'),
]

/** A change by chance that is possible on `chain`: where one is not, such as a removal from a short chain, another is made. */
export function changeBy(
  random: Random,
  chain: readonly Member[],
  previous: readonly Member[] | undefined,
): { readonly change: Change; readonly chain: readonly Member[] } {
  for (;;) {
    const change = pick(random, CHANGES)
    const changed = apply(random, change, chain, previous)
    if (changed !== undefined && JSON.stringify(changed) !== JSON.stringify(chain))
      return { change, chain: changed }
  }
}

function apply(
  random: Random,
  change: Change,
  chain: readonly Member[],
  previous: readonly Member[] | undefined,
): readonly Member[] | undefined {
  const replaced = (of: (member: Member) => Member): Member[] => {
    const at = random(chain.length)
    return chain.map((member, position) => (position === at ? of(member) : member))
  }
  switch (change) {
    case 'insert': {
      const free = Array.from({ length: MOST }, (_, at) => `count-${at + 1}`).filter((name) =>
        chain.every(({ instance }) => instance !== name),
      )
      if (chain.length >= MOST) return undefined
      return chain.toSpliced(random(chain.length + 1), 0, counter(pick(random, free)))
    }
    case 'remove': {
      const removable = chain.filter(({ instance }) => instance !== GUARD && instance !== WITNESS)
      if (chain.length <= FEWEST) return undefined
      const gone = pick(random, removable)
      return chain.filter((member) => member !== gone)
    }
    case 'reorder':
      return shuffled(random, chain)
    case 'upgrade':
      return replaced((member) => ({ ...member, release: member.release === 1 ? 2 : 1 }))
    case 'configure':
      return replaced((member) => ({ ...member, label: random(2 ** 31) }))
    case 'rollback':
      return previous
  }
}

function shuffled(random: Random, chain: readonly Member[]): Member[] {
  const order = [...chain]
  return chain.flatMap(() => order.splice(random(order.length), 1))
}
