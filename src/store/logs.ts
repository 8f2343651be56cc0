import { type KeyObject, randomBytes } from 'node:crypto'
import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { LogName } from '../domain/log.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import type { Clock } from '../ports/clock.ts'
import type { Logs, NewEntry, PlacedEntry } from '../ports/log.ts'
import { parseCheckpoint, signCheckpoint } from '../tlog/checkpoint.ts'
import { encodeEntry, hideEntry, SALT_BYTES } from '../tlog/entry.ts'
import { encodeBundle } from '../tlog/entry-bundle.ts'
import {
  appendLeaves,
  EMPTY_FRONTIER,
  type Frontier,
  frontierRoot,
  HASH_BYTES,
  leafHash,
} from '../tlog/merkle.ts'
import { type NoteSignerKey, parseNote, verifyNote } from '../tlog/note.ts'
import { type NoteKey, noteKeyOf } from '../tlog/note-key.ts'
import { TILE_WIDTH, type Tile, tileHashes } from '../tlog/tile.ts'
import type { Database, Transaction } from './database.ts'
import type { LogTree } from './generated/client.ts'
import { keepCosignature, witnessedCheckpoint } from './log-cosignatures.ts'
import { beginEpoch } from './log-epochs.ts'
import { readableOnly } from './readable.ts'

/** The key of the lock under which logs grow: taken last, and held until the transaction that makes the change ends. */
const LOG_LOCK = 72707373

/** The logs of a registry, and how what changes the catalog adds to them. */
export interface RegistryLogs extends Logs {
  /**
   * Adds entries within the transaction of the change that they are about, the last thing that it does: change and entry
   * are there together, or neither. Gives the index of the first.
   */
  append(transaction: Transaction, log: LogName, entries: readonly NewEntry[]): Promise<number>
  /** Adds one entry about the catalog; that of a revocation to both logs. Gives where it stands. */
  record(transaction: Transaction, entry: Unstamped, isPrivate: boolean): Promise<Places>
}

/** Indexes of an entry in the logs that it was added to. */
interface Places {
  readonly catalog: number
  readonly revocations?: number
}

type Stamp = 'v' | 'at'
/** An entry without its form and time, which are the log's to say. */
type Unstamped = LogEntry extends infer Entry ? (Entry extends LogEntry ? Omit<Entry, Stamp> : never) : never

/** What signs the logs of a registry, and what they are called. */
export interface LogIdentity {
  /** Ed25519. */
  readonly privateKey: KeyObject
  /** Name of logs that begin; undefined: a random one. */
  readonly origin: string | undefined
  /** Whose statements begin them anew, as nodes know it; undefined: nobody's. */
  readonly recoveryKey?: NoteKey | undefined
}

/** The logs in the database; they are begun at the first use. */
export function databaseLogs(
  database: Database,
  { privateKey, origin, recoveryKey }: LogIdentity,
  clock: Clock,
): RegistryLogs {
  const { prisma } = database
  const base = origin ?? `hookline-${randomBytes(4).toString('hex')}`
  const signers = new Map<string, NoteSignerKey>()
  const signerOf = ({ origin }: { readonly origin: string }): NoteSignerKey => {
    const signer = signers.get(origin) ?? { key: noteKeyOf(origin, 'note', privateKey), privateKey }
    signers.set(origin, signer)
    return signer
  }
  const begin = async (transaction: Transaction, log: LogName): Promise<void> => {
    await lockLogs(transaction)
    const known = await transaction.logTree.findUnique({ where: { log } })
    if (known !== null) requireOwn(known, signerOf(known))
    else await writeTree(transaction, log, signerOf({ origin: `${base}/${log}` }), EMPTY_FRONTIER, clock())
  }
  const begun = new Map<LogName, Promise<void>>()
  const open = (log: LogName): Promise<void> => {
    const known = begun.get(log)
    if (known !== undefined) return known
    const beginning = database.transact((transaction) => begin(transaction, log))
    begun.set(log, beginning)
    // what failed must not be remembered
    beginning.catch(() => begun.delete(log))
    return beginning
  }
  const append: RegistryLogs['append'] = async (transaction, log, entries) => {
    await open(log)
    await lockLogs(transaction)
    // its name is read anew each time: another registry on the database may have begun the log anew
    const [tree] = await transaction.$queryRaw<Pick<LogTree, 'origin' | 'size' | 'frontier'>[]>`
      SELECT "origin", "size", "frontier" FROM "log_tree" WHERE "log" = ${log}`
    if (tree === undefined) throw new DomainError('internal', `the log of ${log} was never begun`)
    return grow(transaction, log, signerOf(tree), frontierOf(tree), entries.map(stored), clock())
  }
  return {
    open: async () => {
      for (const log of LogName.options) await open(log)
    },
    key: async (log) => {
      await open(log)
      return signerOf(await prisma.logTree.findUniqueOrThrow({ where: { log } })).key
    },
    checkpoint: async (log) => {
      await open(log)
      const [tree, lines] = await database.readTogether(async (transaction) => [
        await transaction.logTree.findUniqueOrThrow({ where: { log } }),
        await transaction.logCosignature.findMany({ where: { log }, orderBy: { size: 'desc' } }),
      ])
      const current = lines.filter(({ size }) => size === tree.size).map(({ line }) => line)
      return tree.checkpoint + current.join('')
    },
    tile: (log, tile) => readTile(database, log, tile),
    entry: async (log, index) => {
      const row = await prisma.logEntry.findUnique({ where: { log_index: { log, index: BigInt(index) } } })
      return row === null ? undefined : placed(row)
    },
    published: async (program, version) => {
      const release = await prisma.release.findFirst({
        where: { version, program: { ref: program } },
        select: { logIndex: true },
      })
      if (release?.logIndex == null) return undefined
      const where = { log_index: { log: 'catalog', index: release.logIndex } }
      return placed(await prisma.logEntry.findUniqueOrThrow({ where }))
    },
    revoked: async (digest, log) => {
      const known = await prisma.revocation.findUnique({
        where: { digest },
        select: { catalogIndex: true, revocationsIndex: true },
      })
      const index = log === 'catalog' ? known?.catalogIndex : known?.revocationsIndex
      if (index == null) return undefined
      return placed(await prisma.logEntry.findUniqueOrThrow({ where: { log_index: { log, index } } }))
    },
    openings: async (log, namespace, readable, after) => {
      const programs = await prisma.program.findMany({
        where: { ...readableOnly(readable), namespace: { name: namespace } },
        select: { ref: true },
      })
      if (programs.length === 0) return []
      const about = [namespace, ...programs.map(({ ref }) => ref)]
      const rows = await prisma.logEntry.findMany({
        where: { log, about: { in: about }, index: { gt: after } },
        ...{ orderBy: { index: 'asc' }, take: LIMITS.log_openings },
      })
      return rows.map(placed)
    },
    refresh: async (log, age_s) => {
      await open(log)
      await database.transact(async (transaction) => {
        await lockLogs(transaction)
        const tree = await transaction.logTree.findUniqueOrThrow({ where: { log } })
        const now = clock()
        if (now.getTime() - tree.signedAt.getTime() >= age_s * 1000)
          await writeTree(transaction, log, signerOf(tree), frontierOf(tree), now)
      })
    },
    epoch: (log) => prisma.logRecovery.count({ where: { log } }),
    recovery: async (log, epoch) =>
      (await prisma.logRecovery.findUnique({ where: { log_epoch: { log, epoch } } }))?.note,
    beginAnew: async (statements, by) => {
      for (const log of LogName.options) await open(log)
      await database.change(async (transaction) => {
        await lockLogs(transaction)
        for (const log of LogName.options) {
          const note = statements[log]
          const epoch = await beginEpoch(
            transaction,
            { log, note, signerOf, recoveryKey, tile: (tile) => readTile(database, log, tile) },
            by,
          )
          if (epoch === undefined) continue
          const at = Math.floor(clock().getTime() / 1000)
          const entry = { v: 1, kind: 'epoch', at, epoch, recovery: sha256Digest(Buffer.from(note)) } as const
          await append(transaction, log, [{ entry, isPrivate: false }])
        }
      })
    },
    addCosignature: (log, witness, signed) => keepCosignature(database, log, witness, signed),
    witnessed: (log, ids, threshold) => witnessedCheckpoint(database, log, ids, threshold),
    append,
    record: async (transaction, entry, isPrivate) => {
      const at = Math.floor(clock().getTime() / 1000)
      const added = { entry: { ...entry, v: 1, at } as const, isPrivate }
      const revocations =
        entry.kind === 'revoke' ? { revocations: await append(transaction, 'revocations', [added]) } : {}
      return { ...revocations, catalog: await append(transaction, 'catalog', [added]) }
    },
  }
}

const lockLogs = (transaction: Transaction): Promise<number> =>
  transaction.$executeRaw`SELECT pg_advisory_xact_lock(${LOG_LOCK}::bigint)`

/** Refuses a key that is not the one which signed the log: two keys would make two logs of one. */
function requireOwn({ log, checkpoint, origin }: LogTree, { key }: NoteSignerKey): void {
  const { origin: signed } = parseCheckpoint(parseNote(checkpoint).text)
  if (signed !== origin || verifyNote(parseNote(checkpoint), [key]).length === 0)
    throw new DomainError(
      'log_key_mismatch',
      `the log of ${log} in this database is "${origin}", which another key signed than ${key.id.toString('hex')}`,
    )
}

/** An entry as a row: what everybody reads, and what it hides. */
interface StoredEntry {
  readonly data: Buffer
  readonly hidden: Buffer | null
  readonly salt: Buffer | null
  /** The program or namespace that a hidden one is about. */
  readonly about: string | null
}

function stored({ entry, isPrivate }: NewEntry): StoredEntry {
  if (!isPrivate) return { data: encodeEntry(entry), hidden: null, salt: null, about: null }
  const salt = randomBytes(SALT_BYTES)
  return {
    ...{ data: encodeEntry(hideEntry(entry, salt)), hidden: encodeEntry(entry), salt },
    about: subjectOf(entry),
  }
}

/** What an entry is about: a program, or a namespace; null for what is never hidden. */
function subjectOf(entry: LogEntry): string | null {
  if ('program' in entry) return entry.program
  if ('namespace' in entry) return entry.namespace
  return entry.kind === 'revoke' && entry.revoked.kind === 'release' ? entry.revoked.program : null
}

const frontierOf = ({ size, frontier }: Pick<LogTree, 'size' | 'frontier'>): Frontier => ({
  size: Number(size),
  hashes: Array.from({ length: frontier.length / HASH_BYTES }, (_, at) =>
    Buffer.from(frontier.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)),
  ),
})

/** Adds entries, and signs what the log then is; gives the index of the first. */
async function grow(
  transaction: Transaction,
  log: LogName,
  signer: NoteSignerKey,
  before: Frontier,
  entries: readonly StoredEntry[],
  now: Date,
): Promise<number> {
  const { frontier, nodes } = appendLeaves(
    before,
    entries.map(({ data }) => leafHash(data)),
  )
  await transaction.logEntry.createMany({
    data: entries.map(({ data, hidden, salt, about }, at) => ({
      ...{ log, index: BigInt(before.size + at), data: new Uint8Array(data) },
      ...{ hidden: hidden && new Uint8Array(hidden), salt: salt && new Uint8Array(salt), about },
    })),
  })
  for (const [key, hashes] of Map.groupBy(tileHashes(nodes), tileKey)) {
    const [level = 0, index = 0] = key.split('/').map(Number)
    const bytes = Buffer.concat(hashes.map(({ hash }) => hash))
    await transaction.$executeRaw`
      INSERT INTO "log_tile" ("log", "level", "index", "hashes") VALUES (${log}, ${level}, ${index}, ${bytes})
      ON CONFLICT ("log", "level", "index") DO UPDATE SET "hashes" = "log_tile"."hashes" || EXCLUDED."hashes"`
  }
  await writeTree(transaction, log, signer, frontier, now)
  return before.size
}

const tileKey = ({ level, position }: { level: number; position: number }): string =>
  `${level}/${Math.floor(position / TILE_WIDTH)}`

async function writeTree(
  transaction: Transaction,
  log: LogName,
  signer: NoteSignerKey,
  frontier: Frontier,
  now: Date,
): Promise<void> {
  const origin = signer.key.name
  const checkpoint = signCheckpoint(
    { origin, size: frontier.size, root: frontierRoot(frontier), extensions: [] },
    signer,
    Math.floor(now.getTime() / 1000),
  )
  // by hand: each change of the catalog waits for it, and a statement that must be made first takes twice as long
  await transaction.$executeRaw`
    INSERT INTO "log_tree" ("log", "origin", "size", "frontier", "checkpoint", "signed_at")
    VALUES (${log}, ${origin}, ${frontier.size}, ${Buffer.concat(frontier.hashes)}, ${checkpoint}, ${now})
    ON CONFLICT ("log") DO UPDATE SET "size" = EXCLUDED."size", "frontier" = EXCLUDED."frontier",
      "checkpoint" = EXCLUDED."checkpoint", "signed_at" = EXCLUDED."signed_at"`
}

async function readTile(
  { prisma }: Database,
  log: LogName,
  { level, index, width }: Tile,
): Promise<Buffer | undefined> {
  if (level === 'entries') {
    const first = BigInt(index * TILE_WIDTH)
    const rows = await prisma.logEntry.findMany({
      where: { log, index: { gte: first, lt: first + BigInt(width) } },
      orderBy: { index: 'asc' },
      select: { data: true },
    })
    return rows.length < width ? undefined : encodeBundle(rows.map(({ data }) => Buffer.from(data)))
  }
  const row = await prisma.logTile.findUnique({
    where: { log_level_index: { log, level, index: BigInt(index) } },
  })
  const bytes = row === null ? undefined : Buffer.from(row.hashes)
  const length = width * HASH_BYTES
  return bytes === undefined || bytes.length < length ? undefined : bytes.subarray(0, length)
}

const placed = ({
  index,
  data,
  hidden,
  salt,
}: {
  index: bigint
  data: Uint8Array
  hidden: Uint8Array | null
  salt: Uint8Array | null
}): PlacedEntry => ({
  ...{ index: Number(index), data: Buffer.from(data) },
  hidden: hidden === null ? undefined : Buffer.from(hidden),
  salt: salt === null ? undefined : Buffer.from(salt),
})
