import type { RegistryClient } from '../client/registry-client.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import type { Digest } from '../domain/names.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseEntry } from '../tlog/entry.ts'
import { entryText, entryTime } from '../tlog/entry-text.ts'
import { parseNote } from '../tlog/note.ts'
import { parseNoteKey } from '../tlog/note-key.ts'
import { readEntries } from '../tlog/tile-reader.ts'
import type { Context, Outcome } from './io.ts'
import { openLogMemory } from './log-memory.ts'
import { connect, connectLog, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { countedEntries, durationText, printable, timeText } from './terminal.ts'

/** Shows the logs of a registry: keys, sizes, and who signed the newest checkpoints when. */
export async function logShow(
  { state, ...flags }: RegistryFlags & { readonly state?: string | undefined },
  { io }: Context,
): Promise<Outcome> {
  const client = await connectLog(io, flags)
  const [logs, memory] = [await client.logs(), await openLogMemory(io, state)]
  const now = Date.now()
  const age = (iso: string): string =>
    `${durationText(Math.max(0, Math.round((now - Date.parse(iso)) / 1000)))} ago`
  const views = logs.map((view) => ({
    ...view,
    known: standingOf(memory.of(client.registry, view.log)?.key, view.key),
  }))
  const text = views
    .map(({ log, key, size, root, signedAt, witnesses, known }) =>
      [
        renderFields([
          ['log', log],
          ['key', `${key}  (${STANDINGS[known]})`],
          ['entries', String(size)],
          ['root', root],
          ['signed', age(signedAt)],
          ['witnesses', witnesses.length === 0 ? 'none' : undefined],
        ]),
        ...witnesses.map(
          (witness) =>
            `  ${printable(parseNoteKey(witness.key).name)}: ${witness.signedAt === undefined ? 'did not sign yet' : `signed ${age(witness.signedAt)}`}\n    ${printable(witness.key)}`,
        ),
      ].join('\n'),
    )
    .join('\n\n')
  return { json: { registry: client.registry, logs: views }, text }
}

/** How the key of a log compares with the one that is remembered of it, for programs; and in words. */
const STANDINGS = {
  unknown: 'not known yet: `hookline log verify` remembers it',
  remembered: 'as remembered',
  differs: 'NOT the one that is remembered',
} as const

function standingOf(known: string | undefined, shown: string): keyof typeof STANDINGS {
  if (known === undefined) return 'unknown'
  return known === shown ? 'remembered' : 'differs'
}

/** Shows entries of a log in words, as the registry gives them: `from` on, by default the newest. */
export async function logEntries(
  { log, from, limit, ...flags }: RegistryFlags & { log: LogName; from?: number | undefined; limit: number },
  { io }: Context,
): Promise<Outcome> {
  const client = await connectLog(io, flags)
  const { size } = parseCheckpoint(parseNote(await client.checkpoint(log)).text)
  const start = Math.min(from ?? Math.max(0, size - limit), size)
  const end = Math.min(start + Math.min(limit, LIMITS.log_listed), size)
  const entries = await readEntries({ from: start, to: end, size }, client.tiles(log))
  const parsed = entries.map(({ index, data }) => ({ index, entry: parseEntry(data) }))
  const revoking = parsed.some(({ entry }) => entry.kind === 'revoke')
  const signers = revoking ? await revokers(await connect(io, flags)) : new Map<Digest, Signer>()
  const rows = parsed.map(({ index, entry }) => {
    const by = entry.kind === 'revoke' ? signers.get(entry.envelope) : undefined
    const what = by === undefined ? entryText(entry) : `${entryText(entry)}, by ${signerText(by)}`
    return [String(index), timeText(new Date(entryTime(entry) * 1000)), what]
  })
  const json = {
    log,
    size,
    entries: entries.map(({ index, data }) => ({ index, entry: data.toString('utf8') })),
  }
  if (rows.length === 0) return { json, text: `the log of ${log} has ${countedEntries(size)}` }
  const others = [
    ...(start > 0 ? [`older: --from ${Math.max(0, start - limit)}`] : []),
    ...(end < size ? [`newer: --from ${end}`] : []),
  ]
  const last = [`${size} in all`, ...others].join('; ')
  return { json, text: [renderTable(io, ['index', 'at', 'what'], rows), last].join('\n') }
}

/** Who signed revocations, by the digest of their envelope, which the log has: as the registry says. */
const revokers = async (client: RegistryClient): Promise<ReadonlyMap<Digest, Signer>> =>
  new Map((await client.revocations(undefined)).map(({ digest, signer }) => [digest, signer]))
