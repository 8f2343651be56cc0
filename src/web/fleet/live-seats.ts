import { DomainError } from '../../domain/errors.ts'
import { LIMITS } from '../../domain/limits.ts'

/** Places for those who watch: so many in all, so many for each account. */
export interface LiveSeats {
  /** Takes a place and gives the way to leave it, once. Throws `rate_limited`, `overloaded`. */
  take(account: string): () => void
  /** How many are taken. */
  readonly taken: number
}

/** Opens the places of one process. */
export function liveSeats(
  most: number = LIMITS.live_streams,
  mostOfAccount: number = LIMITS.live_streams_account,
): LiveSeats {
  const taken = new Map<string, number>()
  let all = 0
  return {
    get taken() {
      return all
    },
    take: (account) => {
      const own = taken.get(account) ?? 0
      if (own >= mostOfAccount)
        throw new DomainError('rate_limited', `you watch ${own} nodes already: close a page that shows one`)
      if (all >= most) throw new DomainError('overloaded', `${all} pages follow nodes already`)
      taken.set(account, own + 1)
      all += 1
      let left = false
      return () => {
        if (left) return
        left = true
        all -= 1
        const rest = (taken.get(account) ?? 1) - 1
        if (rest === 0) taken.delete(account)
        else taken.set(account, rest)
      }
    },
  }
}
