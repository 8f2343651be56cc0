import type { DownloadHistory, SearchPage, SearchRequest } from '../domain/search.ts'
import type { Readable } from './catalog.ts'

/** Finds programs. */
export interface Search {
  /** Throws `invalid_request` for a cursor of another search. */
  find(request: SearchRequest, readable: Readable): Promise<SearchPage>
}

/** Counts what is fetched. */
export interface Downloads {
  /** Counts one download of a release; kept soon, not at once. */
  count(releaseId: string): void
  /** Keeps what was counted. */
  flush(): Promise<void>
  /** Keeps what was counted, and counts no more. */
  close(): Promise<void>
  /** Downloads of a program in the last `days`. */
  history(program: string, days: number): Promise<DownloadHistory>
}
