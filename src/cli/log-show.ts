import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseEntry } from '../tlog/entry.ts'
import { entryText, entryTime } from '../tlog/entry-text.ts'
import { parseNote } from '../tlog/note.ts'
import { parseNoteKey } from '../tlog/note-key.ts'
import { readEntries } from '../tlog/tile-reader.ts'
import type { Context, Outcome } from './io.ts'
import { openLogMemory } from './log-memory.ts'
import { connectLog, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { durationText } from './terminal.ts'

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
          ['key', `${key}  (${known})`],
          ['entries', String(size)],
          ['root', root],
          ['signed', age(signedAt)],
          ['witnesses', witnesses.length === 0 ? 'none' : undefined],
        ]),
        ...witnesses.map(
          (witness) =>
            `  ${parseNoteKey(witness.key).name}: ${witness.signedAt === undefined ? 'did not sign yet' : `signed ${age(witness.signedAt)}`}\n    ${witness.key}`,
        ),
      ].join('\n'),
    )
    .join('\n\n')
  return { json: { registry: client.registry, logs: views }, text }
}

function standingOf(known: string | undefined, shown: string): string {
  if (known === undefined) return 'not known yet: `hookline log verify` remembers it'
  return known === shown ? 'as remembered' : 'NOT the one that is remembered'
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
  const rows = entries.map(({ index, data }) => {
    const entry = parseEntry(data)
    const at = new Date(entryTime(entry) * 1000).toISOString()
    return [String(index), at.slice(0, 19).replace('T', ' '), entryText(entry)]
  })
  const json = {
    log,
    size,
    entries: entries.map(({ index, data }) => ({ index, entry: data.toString('utf8') })),
  }
  if (rows.length === 0) return { json, text: `the log of ${log} has ${size} entries` }
  const more = end < size ? [`${size} in all, more: --from ${end}`] : [`${size} in all`]
  return { json, text: [renderTable(io, ['index', 'at (UTC)', 'what'], rows), ...more].join('\n') }
}
