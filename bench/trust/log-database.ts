import { fileURLToPath } from 'node:url'
import { logIdentity, NO_LOG_SETTINGS } from '../../src/bin/log-key.ts'
import type { LogName } from '../../src/domain/log.ts'
import { type Database, openDatabase } from '../../src/store/database.ts'
import { databaseLogs, type RegistryLogs } from '../../src/store/logs.ts'
import { migrate } from '../../src/store/migrations.ts'
import { startPostgres } from '../../src/store/postgres.ts'
import { timed } from '../times.ts'
import { entryAt } from './log-entries.ts'

const MIGRATIONS = fileURLToPath(new URL('../../prisma/migrations', import.meta.url))
const SYSTEM_DIR = '/var/lib/hookline'
const LOG: LogName = 'catalog'
/** Entries of one transaction when a log is built: sixteen tiles. */
const BATCH = 4096

/** The logs of a registry that does not run, in its own PostgreSQL. */
export interface LogDatabase {
  readonly logs: RegistryLogs
  /** Adds entries up to `size`, by the registry's own append, many in each transaction. */
  growTo(size: number, onEntries: (done: number) => void): Promise<void>
  /** Times of single appends, a transaction each, with its end forced to the disk or not. */
  appends(count: number, fsync: 'on' | 'off'): Promise<number[]>
  close(): Promise<void>
}

/** Starts the database of the registry whose data directory is `dataDir`, with logs that its own key signs. */
export async function openLogDatabase(dataDir: string): Promise<LogDatabase> {
  const postgres = await startPostgres(dataDir, process.getuid?.() === 0 ? SYSTEM_DIR : dataDir)
  await migrate(postgres.url, MIGRATIONS)
  const database = openDatabase(postgres.url)
  const clock = (): Date => new Date()
  const logs = databaseLogs(database, await logIdentity(dataDir, NO_LOG_SETTINGS), clock)
  await logs.open()
  let size = 0
  return {
    logs,
    growTo: async (most, onEntries) => {
      await setFsync(database, 'off')
      while (size < most) {
        const count = Math.min(BATCH, most - size)
        const entries = Array.from({ length: count }, (_, at) => entryAt(size + at))
        await database.transact((transaction) => logs.append(transaction, LOG, entries))
        size += count
        onEntries(size)
      }
      await setFsync(database, 'on')
      await database.prisma.$executeRaw`CHECKPOINT` // all of it is on the disk, and its writing disturbs no measurement
    },
    appends: async (count, fsync) => {
      await setFsync(database, fsync)
      const times: number[] = []
      for (let at = 0; at < count; at++) {
        const { entry, isPrivate } = entryAt(size)
        times.push(
          await timed(() => database.change((transaction) => logs.record(transaction, entry, isPrivate))),
        )
        size += 1
      }
      await setFsync(database, 'on')
      return times
    },
    close: async () => {
      await database.close()
      await postgres.close()
    },
  }
}

/** Makes all sessions force the end of a transaction to the disk, or not; returns once this one does so. */
async function setFsync({ prisma }: Database, fsync: 'on' | 'off'): Promise<void> {
  if (fsync === 'on') await prisma.$executeRaw`ALTER SYSTEM SET fsync = on`
  else await prisma.$executeRaw`ALTER SYSTEM SET fsync = off`
  await prisma.$executeRaw`SELECT pg_reload_conf()`
  for (;;) {
    const [row] = await prisma.$queryRaw<{ fsync: string }[]>`SHOW fsync`
    if (row?.fsync === fsync) return
  }
}
