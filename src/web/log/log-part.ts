import type { LogPlace } from '../../domain/log.ts'
import { parseEntry } from '../../tlog/entry.ts'
import { entryTime } from '../../tlog/entry-text.ts'
import { type Html, html } from '../html.ts'
import { snippet } from '../snippet.ts'
import { ago, grouped } from '../text.ts'
import { entryUrl } from './log-words.ts'

/**
 * What the log says of a release, for its page: `place` is that of its publication, undefined for a release that was never logged.
 * What a private program's entry hides is not shown.
 */
export function logPart(
  place: Pick<LogPlace, 'index' | 'entry' | 'hidden'> | undefined,
  { program, version }: { program: string; version: string },
  now: Date,
): Html {
  if (place === undefined)
    return html`<p class="notice warn">The log has no entry of this release: it was published before there was a log.</p>`
  const at = new Date(entryTime(parseEntry(Buffer.from(place.entry))) * 1000).toISOString()
  return html`<p>Its publication is <a href="${entryUrl('catalog', place.index)}">entry ${grouped(place.index)}</a> of the <a href="/log">catalog log</a>, made <time datetime="${at}">${ago(at, now)}</time>${place.hidden !== undefined && ', as a commitment that only members can open'}. Nobody can be shown another release under this version without it being found out. With the key of the log in <code>CATALOG_KEY</code>, compared with what the registry’s operator publishes:</p>
${snippet(`hookline log proof ${program}@${version} \\
  --log-key "$CATALOG_KEY" --out release.tlog-proof
hookline log check release.tlog-proof --log-key "$CATALOG_KEY"`)}`
}
