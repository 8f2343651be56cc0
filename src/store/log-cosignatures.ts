import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import type { Cosigned } from '../ports/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { formatNote, parseNote } from '../tlog/note.ts'
import type { Database } from './database.ts'

/**
 * Keeps what a witness signed beside its last few signatures: others may not have come so far yet. What was signed of a log that
 * was begun anew meanwhile is of one that is given up, and is left out.
 */
export async function keepCosignature(
  { transact }: Database,
  log: LogName,
  witness: string,
  { line, note }: Cosigned,
): Promise<void> {
  const { text } = parseNote(note)
  const { origin, size } = parseCheckpoint(text)
  // the log's own signatures alone: those of witnesses are rows of their own
  const lines = note.slice(text.length + 1).split(/(?<=\n)/)
  const own = lines.filter((one) => one.startsWith(`— ${origin} `))
  const kept = { line, checkpoint: formatNote(text, own), at: new Date() }
  const id = { log, witness, size: BigInt(size) }
  await transact(async (transaction) => {
    // whoever begins the log anew waits for this, and forgets it with the others
    const [tree] = await transaction.$queryRaw<{ origin: string }[]>`
      SELECT "origin" FROM "log_tree" WHERE "log" = ${log} FOR SHARE`
    if (tree?.origin !== origin) return
    await transaction.logCosignature.upsert({
      ...{ where: { log_witness_size: id }, create: { ...id, ...kept }, update: kept },
    })
    const [oldest] = await transaction.logCosignature.findMany({
      ...{
        where: { log, witness },
        orderBy: { size: 'desc' },
        skip: LIMITS.witnessed_checkpoints - 1,
        take: 1,
      },
      select: { size: true },
    })
    if (oldest !== undefined)
      await transaction.logCosignature.deleteMany({ where: { log, witness, size: { lt: oldest.size } } })
  })
}

/** The newest checkpoint that `threshold` witnesses with these key ids (hexadecimal) signed; undefined for none that is kept. */
export async function witnessedCheckpoint(
  { prisma }: Database,
  log: LogName,
  ids: readonly string[],
  threshold: number,
): Promise<string | undefined> {
  const rows = await prisma.logCosignature.findMany({
    ...{ where: { log }, orderBy: [{ size: 'desc' }, { at: 'desc' }] },
  })
  for (const signed of Map.groupBy(rows, ({ size }) => size).values()) {
    const wanted = new Set(signed.map(({ line }) => keyId(line)).filter((id) => ids.includes(id)))
    const [newest] = signed
    if (newest !== undefined && wanted.size >= threshold)
      return newest.checkpoint + signed.map(({ line }) => line).join('')
  }
  return undefined
}

/** Id of the key that made a signature line: the first four bytes of it (C2SP signed-note). */
const keyId = (line: string): string =>
  Buffer.from(line.trimEnd().split(' ').at(-1) ?? '', 'base64')
    .subarray(0, 4)
    .toString('hex')
