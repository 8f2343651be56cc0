import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { LIMITS } from '../domain/limits.ts'
import type { ChangeNotices } from '../ports/change-notices.ts'
import type { Prisma } from './generated/client.ts'

/** Notices of one process, and the way to announce to it. */
export interface LocalNotices extends ChangeNotices {
  /** Counts a change and wakes whoever waits. */
  announce(): void
}

/** Change notices within one process: a counter and its listeners. */
export function localNotices(): LocalNotices {
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

/** The channel of `LISTEN` and `NOTIFY` that all registries on a database share. */
const CHANNEL = 'hookline_change'

/** Notices of all registries on a database. */
export interface DatabaseNotices extends LocalNotices {
  /** Tells the other registries once `transaction` is committed; never when it is rolled back. */
  tellOthers(transaction: Prisma.TransactionClient): Promise<void>
  /** Listens for the others from now on. Throws what the first connection does. */
  listen(): Promise<void>
  close(): Promise<void>
}

/**
 * The changes of every registry on the database at `url`, heard on a connection of its own. While that is lost, each
 * attempt to get it back counts as a change, since one may have been missed: what is guarded by
 * {@link ChangeNotices.seen} is at most twice `LIMITS.notices_retry_ms` old.
 */
export function databaseNotices(url: string): DatabaseNotices {
  const local = localNotices()
  const self = randomUUID()
  let closing = false
  let client: pg.Client | undefined
  let retry: NodeJS.Timeout | undefined

  const connect = async (): Promise<void> => {
    const next = new pg.Client({
      connectionString: url,
      connectionTimeoutMillis: LIMITS.notices_retry_ms,
      keepAlive: true,
    })
    let listening = false
    const onLoss = (): void => {
      if (!listening) return // then connect() itself throws
      listening = false
      client = undefined
      next.end().catch(() => {})
      again()
    }
    next.on('error', onLoss)
    next.on('end', onLoss)
    next.on('notification', ({ payload }) => {
      if (payload !== self) local.announce()
    })
    try {
      await next.connect()
      await next.query(`LISTEN ${CHANNEL}`)
    } catch (cause) {
      next.end().catch(() => {})
      throw cause
    }
    if (closing) return await next.end()
    listening = true
    client = next
    local.announce()
  }
  const again = (): void => {
    if (closing) return
    local.announce()
    retry = setTimeout(() => connect().catch(again), LIMITS.notices_retry_ms)
  }
  return {
    get seen() {
      return local.seen
    },
    next: local.next,
    announce: local.announce,
    tellOthers: async (transaction) => {
      await transaction.$executeRaw`SELECT pg_notify(${CHANNEL}, ${self})`
    },
    listen: connect,
    close: async () => {
      closing = true
      clearTimeout(retry)
      await client?.end()
    },
  }
}
