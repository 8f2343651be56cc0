import { setTimeout } from 'node:timers/promises'
import { LIMITS } from '../../domain/limits.ts'
import type { NodeView, Observed } from '../../domain/node.ts'
import { nodeState, overviewOf } from '../../domain/node-summary.ts'
import type { Clock } from '../../ports/clock.ts'
import type { NodeDesk } from '../../registry/nodes.ts'
import { type LocalNotices, localNotices } from '../../store/change-notices.ts'
import { ratesBetween } from './chain-layout.ts'
import { stateText } from './fleet-words.ts'
import { nodePicture } from './node-picture.ts'

/** A node that somebody watches. */
interface Watched {
  readonly notices: LocalNotices
  watchers: number
  /** Its picture, drawn once for all who watch it. */
  markup: string | undefined
  /** Why it cannot be looked at any more. */
  failure: unknown
  /** Ends the looking. */
  readonly end: AbortController
}

/** Follows nodes for those who watch them. */
export interface NodeWatch {
  /**
   * The picture of a node now and whenever it changed, in markup; undefined now and then where it did not. Ends when `signal`
   * aborts. However many watch a node, it is looked at once. Throws `not_found` as soon as there is no such node.
   */
  follow(id: string, signal: AbortSignal): AsyncGenerator<string | undefined, void>
  /** How many nodes are looked at now. */
  readonly watched: number
}

/** Opens the watch. */
export function openNodeWatch(
  nodeDesk: Pick<NodeDesk, 'view' | 'reportedAt'>,
  clock: Clock,
  every_ms: number = LIMITS.live_poll_ms,
): NodeWatch {
  const nodes = new Map<string, Watched>()
  const join = (id: string): Watched => {
    const there = nodes.get(id)
    if (there !== undefined) {
      there.watchers += 1
      return there
    }
    const watched: Watched = {
      ...{ notices: localNotices(), watchers: 1, markup: undefined, failure: undefined },
      end: new AbortController(),
    }
    nodes.set(id, watched)
    void look(id, watched, nodeDesk, clock, every_ms)
    return watched
  }
  const leave = (id: string, watched: Watched): void => {
    watched.watchers -= 1
    if (watched.watchers > 0) return
    watched.end.abort()
    nodes.delete(id)
  }
  return {
    get watched() {
      return nodes.size
    },
    async *follow(id, signal) {
      const watched = join(id)
      try {
        let shown: string | undefined
        while (!signal.aborted) {
          const { markup, failure, notices } = watched
          const { seen } = notices
          if (failure !== undefined) throw failure
          if (markup !== shown) {
            shown = markup
            yield markup
            continue
          }
          await notices.next(seen, LIMITS.live_beat_ms, signal)
          if (!signal.aborted && notices.seen === seen) yield undefined
        }
      } finally {
        leave(id, watched)
      }
    },
  }
}

/** Looks at a node again and again, and tells who watches it what changed. */
async function look(
  id: string,
  watched: Watched,
  nodeDesk: Pick<NodeDesk, 'view' | 'reportedAt'>,
  clock: Clock,
  every_ms: number,
): Promise<void> {
  const { signal } = watched.end
  let seen: Seen | undefined
  try {
    while (!signal.aborted) {
      const reportedAt = (await nodeDesk.reportedAt(id))?.getTime()
      const now = clock()
      if (seen === undefined || isOld(seen, reportedAt, now)) {
        const view = await nodeDesk.view(id)
        const last = seen?.view.observed
        const before = view.observed?.at === last?.at ? seen?.before : last
        seen = { view, before, reportedAt, drawnAt: now, state: stateOf(view, now) }
        const rates = before && view.observed && ratesBetween(before, view.observed)
        const { markup } = nodePicture(view, now, rates)
        if (markup !== watched.markup) {
          watched.markup = markup
          watched.notices.announce()
        }
      }
      await setTimeout(every_ms, undefined, { signal }).catch(() => {})
    }
  } catch (thrown) {
    watched.failure = thrown
    watched.notices.announce()
  }
}

/** What was last seen of a node. */
interface Seen {
  readonly view: NodeView
  /** The report before. */
  readonly before: Observed | undefined
  readonly reportedAt: number | undefined
  readonly drawnAt: Date
  readonly state: string
}

const stateOf = (view: NodeView, now: Date): string => stateText(nodeState(overviewOf(view), now))

/** Whether a picture may no longer be true: by a new report, a silence, or its words for how long ago something was. */
const isOld = ({ view, reportedAt, drawnAt, state }: Seen, newest: number | undefined, now: Date): boolean =>
  newest === undefined ||
  newest !== reportedAt ||
  stateOf(view, now) !== state ||
  now.getTime() - drawnAt.getTime() >= LIMITS.live_redraw_ms
