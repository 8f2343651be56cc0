import { LIMITS } from '../domain/limits.ts'
import type { ChangeNotices } from '../ports/change-notices.ts'

/**
 * The same search again is answered from memory, until something is published or changed anywhere. Downloads are counted
 * without telling anybody: what is older than LIMITS.search_remembered_ms is still answered at once, and read anew behind the
 * answer; what is older than LIMITS.search_stale_ms is read first. A search that failed is not remembered.
 */
export function rememberPages<Page>(
  notices: Pick<ChangeNotices, 'seen'>,
  now_ms = (): number => performance.now(),
): (key: string, find: () => Promise<Page>) => Promise<Page> {
  const pages = new Map<string, { page: Promise<Page>; made_ms: number; renewing: boolean }>()
  let as_of = notices.seen
  const remember = (key: string, page: Promise<Page>): void => {
    pages.delete(key)
    const [oldest] = pages.keys()
    if (pages.size >= LIMITS.search_remembered && oldest !== undefined) pages.delete(oldest)
    pages.set(key, { page, made_ms: now_ms(), renewing: false })
  }
  return (key, find) => {
    if (as_of !== notices.seen) {
      pages.clear()
      as_of = notices.seen
    }
    const known = pages.get(key)
    const age_ms = known === undefined ? Number.POSITIVE_INFINITY : now_ms() - known.made_ms
    if (known === undefined || age_ms > LIMITS.search_stale_ms) {
      const page = find()
      remember(key, page)
      page.catch(() => pages.get(key)?.page === page && pages.delete(key))
      return page
    }
    if (age_ms > LIMITS.search_remembered_ms && !known.renewing) {
      known.renewing = true
      const stillKnown = (): boolean => pages.get(key) === known
      find().then(
        (page) => stillKnown() && remember(key, Promise.resolve(page)),
        () => stillKnown() && pages.delete(key), // whoever asks next is told
      )
    }
    return known.page
  }
}
