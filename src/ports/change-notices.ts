/**
 * Tells waiting requests that the catalog or the fleet changed, whichever registry process changed it. The transaction
 * that makes a change notifies by itself: who reads after a notice sees the change.
 */
export interface ChangeNotices {
  /** How many changes were heard of so far. Read it before reading the state that it guards. */
  readonly seen: number
  /** Settles as soon as `seen` exceeds `after`, or when `timeout_ms` passed or `signal` aborted. Never rejects. */
  next(after: number, timeout_ms: number, signal: AbortSignal): Promise<void>
}
