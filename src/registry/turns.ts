/** Work that is done again and again until it is closed. */
export interface Turns {
  /** Whether it ends: what is under way should come to its end. */
  readonly closed: boolean
  /** Ends: what is under way is waited for. */
  close(): Promise<void>
}

/**
 * Takes a turn every `period_ms`, never two at a time; a turn that works in batches is to stop between two when they are closed. What
 * fails is told to `report`, unless they were closed meanwhile.
 */
export function takeTurns(
  period_ms: number,
  turn: () => Promise<void>,
  report: (error: unknown) => void,
): Turns {
  let under: Promise<void> = Promise.resolve()
  let closed = false
  const turns = {
    get closed() {
      return closed
    },
    close: async () => {
      closed = true
      clearInterval(timer)
      await under
    },
  }
  let busy = false
  const take = async (): Promise<void> => {
    busy = true
    try {
      await turn()
    } catch (error) {
      if (!closed) report(error)
    } finally {
      busy = false
    }
  }
  const timer = setInterval(() => {
    if (!busy) under = take()
  }, period_ms)
  timer.unref()
  return turns
}
