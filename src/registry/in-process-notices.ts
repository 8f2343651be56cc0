import type { ChangeNotices } from '../ports/change-notices.ts'

/** Change notices within one process. */
export function inProcessNotices(): ChangeNotices {
  let seen = 0
  const waiting = new Set<() => void>()
  return {
    get seen() {
      return seen
    },
    announce: () => {
      seen += 1
      for (const wake of [...waiting]) wake()
    },
    next: (after, timeout_ms, signal) =>
      new Promise((resolve) => {
        if (seen > after || signal.aborted || timeout_ms <= 0) return resolve()
        const wake = (): void => {
          waiting.delete(wake)
          clearTimeout(timer)
          signal.removeEventListener('abort', wake)
          resolve()
        }
        const timer = setTimeout(wake, timeout_ms)
        signal.addEventListener('abort', wake)
        waiting.add(wake)
      }),
  }
}
