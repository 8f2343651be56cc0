/**
 * Tells waiting requests that the catalog or the fleet changed. Within one process a counter and its listeners; several
 * registries on one database would pass the same notices through the database.
 */
export interface ChangeNotices {
  /** How many changes were announced so far. Read it before reading the state that it guards. */
  readonly seen: number
  /** Announces a change that is already committed. */
  announce(): void
  /** Settles as soon as `seen` exceeds `after`, or when `timeout_ms` passed or `signal` aborted. Never rejects. */
  next(after: number, timeout_ms: number, signal: AbortSignal): Promise<void>
}
