import type { LogName } from '../../domain/log.ts'
import type { LogEntry } from '../../domain/log-entry.ts'
import type { OpaqueEntry } from '../../tlog/entry.ts'
import { entryText } from '../../tlog/entry-text.ts'
import { releaseUrl } from '../catalog/program-list.ts'
import { type Html, html } from '../html.ts'
import { shortDigest } from '../text.ts'

/** What the logs are called, and what is in them. */
export const LOG_WORDS: Readonly<Record<LogName, { name: string; what: string }>> = {
  catalog: {
    name: 'Catalog',
    what: 'Every publish, yank, deletion and revocation, and who may sign and own what.',
  },
  revocations: { name: 'Revocations', what: 'Revocations alone, so few that every node reads them all.' },
}

/** Address of an entry's page. */
export const entryUrl = (log: LogName, index: number): string => `/log/entries/${log}/${index}`

/** An entry in words, digests by their beginnings; a release that it names is a link. */
export function entryWords(entry: LogEntry | OpaqueEntry): Html {
  const text = entryText(entry).replace(/sha256:[0-9a-f]{64}/g, shortDigest)
  if (!('program' in entry)) return html`<bdi>${text}</bdi>`
  const ref = `${entry.program}@${entry.version}`
  return html`<a href="${releaseUrl(entry.program, entry.version)}">${ref}</a><bdi>${text.slice(ref.length)}</bdi>`
}
