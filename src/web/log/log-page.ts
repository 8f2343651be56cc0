import { DomainError } from '../../domain/errors.ts'
import { LogName, type LogView } from '../../domain/log.ts'
import type { Services } from '../../http/services.ts'
import { entryProof, logView, tilesOf } from '../../registry/log-proof.ts'
import { canonicalNumber } from '../../tlog/canonical.ts'
import { parseCheckpoint } from '../../tlog/checkpoint.ts'
import { parseEntry } from '../../tlog/entry.ts'
import { entryTime } from '../../tlog/entry-text.ts'
import { leafHash } from '../../tlog/merkle.ts'
import { parseNote } from '../../tlog/note.ts'
import { formatNoteKey, parseNoteKey } from '../../tlog/note-key.ts'
import { inclusionSteps } from '../../tlog/proof.ts'
import { readEntries } from '../../tlog/tile-reader.ts'
import { type Html, html } from '../html.ts'
import { icon } from '../icons.ts'
import type { Page, Visit } from '../page.ts'
import type { Site } from '../site.ts'
import { snippet } from '../snippet.ts'
import { ago, counted, grouped } from '../text.ts'
import { proofPicture } from './log-picture.ts'
import { entryUrl, entryWords, LOG_WORDS } from './log-words.ts'

/** Entries on a page. */
const SHOWN = 25

type LogServices = Pick<Services, 'logs' | 'logWitnesses'>

/** The logs for people: how they stand, their entries in words, and each entry with its proof. */
export function logPages(site: Site, services: LogServices): void {
  site.get('/log', 'anyone', (visit) => explorer(services, visit))
  site.get('/log/entries/:log/:index', 'anyone', (visit) => entryPage(services, visit))
}

async function explorer({ logs, logWitnesses }: LogServices, { query, now }: Visit): Promise<Page> {
  const views = await Promise.all(LogName.options.map((log) => logView(logs, log, logWitnesses)))
  const log = LogName.safeParse(query.get('log')).data ?? 'catalog'
  const size = views.find((view) => view.log === log)?.size ?? 0
  // the page ends before this entry; the newest are first
  const to = Math.min(canonicalNumber(query.get('before') ?? '') ?? size, size)
  const from = Math.max(0, to - SHOWN)
  const entries = await readEntries({ from, to, size }, tilesOf(logs, log))
  const link = (before: number): string => `/log?log=${log}&before=${before}#entries`
  return {
    title: 'The log',
    description: 'What happened to the catalog, in a log that nobody can change unseen.',
    canonical: '/log',
    main: html`<div class="wide log">
<h1>The log</h1>
<p class="lead">What happened to the catalog, in the order in which it happened. Nothing in it can be changed or taken out without whoever looks finding out. <a href="/docs/log">How that works</a></p>
<div class="logs">${views.map((view) => standing(view, now))}</div>
<h2 id="entries">Entries</h2>
<nav class="tabs" aria-label="Logs">${LogName.options.map(
      (one) =>
        html`<a href="/log?log=${one}#entries"${one === log && html` aria-current="page"`}>${LOG_WORDS[one].name}</a>`,
    )}</nav>
${entries.length === 0 ? html`<p class="empty">Nothing happened yet.</p>` : entryTable(log, entries.toReversed(), now)}
${size > SHOWN && html`<nav class="pager turn" aria-label="Pages of entries"><span>${grouped(from)} to ${grouped(to - 1)} of ${grouped(size)}</span>${to < size && html`<a href="${link(Math.min(size, to + SHOWN))}" rel="prev">Newer</a>`}${from > 0 && html`<a href="${link(from)}" rel="next">Older</a>`}</nav>`}
<h2>Check it yourself</h2>
<p>Reads both logs whole, holds them against what you saw before, and the catalog against what they say.</p>
${snippet('hookline log verify')}
</div>`,
  }
}

function standing({ log, key, size, root, signedAt, witnesses }: LogView, now: Date): Html {
  const { name, what } = LOG_WORDS[log]
  return html`<section aria-labelledby="log-${log}"><h2 id="log-${log}">${name}</h2>
<p class="quiet">${what}</p>
<dl>
<div><dt>Entries</dt><dd>${grouped(size)}</dd></div>
<div><dt>Signed</dt><dd><time datetime="${signedAt}">${ago(signedAt, now)}</time></dd></div>
<div><dt>Root</dt><dd><code>${root}</code></dd></div>
<div><dt>Key</dt><dd><code>${key}</code></dd></div>
<div><dt>Witnesses</dt><dd>${
    witnesses.length === 0
      ? html`<span class="quiet">none are asked</span>`
      : html`<ul>${witnesses.map(
          (witness) =>
            html`<li title="${witness.key}">${icon(witness.signedAt === undefined ? 'clock' : 'verified')}<bdi>${parseNoteKey(witness.key).name}</bdi> <span class="quiet">${
              witness.signedAt === undefined
                ? 'has not signed this yet'
                : html`signed <time datetime="${witness.signedAt}">${ago(witness.signedAt, now)}</time>`
            }</span></li>`,
        )}</ul>`
  }</dd></div>
</dl>
<p><a href="/log/${log}/checkpoint">Checkpoint</a></p>
</section>`
}

function entryTable(log: LogName, entries: readonly { index: number; data: Buffer }[], now: Date): Html {
  const rows = entries.map(({ index, data }) => {
    const entry = parseEntry(data)
    const at = new Date(entryTime(entry) * 1000).toISOString()
    return html`<tr><td class="number"><a href="${entryUrl(log, index)}">${grouped(index)}</a></td><td class="words">${entryWords(entry)}</td><td class="when"><time datetime="${at}">${ago(at, now)}</time></td></tr>`
  })
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Entries"><table class="entries"><thead><tr><th scope="col" class="number">Entry</th><th scope="col">What happened</th><th scope="col">When</th></tr></thead><tbody>${rows}</tbody></table></div>`
}

async function entryPage({ logs }: LogServices, { params }: Visit): Promise<Page> {
  const log = LogName.safeParse(params['log']).data
  const index = canonicalNumber(params['index'] ?? '')
  const found = log === undefined || index === undefined ? undefined : await logs.entry(log, index)
  if (log === undefined || index === undefined || found === undefined)
    throw new DomainError('not_found', 'there is no such entry')
  const [{ checkpoint, hashes }, key] = [await entryProof(logs, log, index), await logs.key(log)]
  const { size } = parseCheckpoint(parseNote(checkpoint).text)
  const leaf = leafHash(found.data)
  const steps = inclusionSteps({
    leaf,
    index,
    size,
    proof: hashes.map((hash) => Buffer.from(hash, 'base64')),
  })
  // what it hides is for members: the page shows what everybody reads
  const entry = parseEntry(found.data)
  const at = new Date(entryTime(entry) * 1000).toISOString()
  return {
    title: `Entry ${index} of the ${LOG_WORDS[log].name.toLowerCase()} log`,
    main: html`<div class="wide log">
<p class="quiet"><a href="/log?log=${log}">${LOG_WORDS[log].name} log</a></p>
<h1>Entry ${grouped(index)}</h1>
<p class="lead">${entryWords(entry)}</p>
<p><time datetime="${at}">${at.slice(0, 19).replace('T', ' ')} UTC</time></p>
<h2>As it stands in the log</h2>
${snippet(found.data.toString('utf8'), 'Entry')}
<h2>Its proof</h2>
<p>The entry’s hash stands at the bottom. ${steps.length === 0 ? 'It is the only entry, and the root by itself.' : html`Joined with the ${counted(steps.length, 'hash', 'hashes')} beside the way up, it makes the root that the log signs for all ${grouped(size)} entries.`}</p>
<div class="scroll" tabindex="0" role="region" aria-label="Proof">${proofPicture(leaf, steps)}</div>
<h2>Check it without this registry</h2>
${
  entry.kind === 'publish'
    ? html`${snippet(`hookline log proof ${entry.program}@${entry.version} --out release.tlog-proof
hookline log check release.tlog-proof --log-key "${formatNoteKey(key)}"`)}
<p>The second command asks nobody: the file has the entry, the hashes above and the checkpoint, and the key is the one that you trust.</p>`
    : html`${snippet(`hookline log verify --log-key "${formatNoteKey(key)}"`)}
<p>It reads every entry, this one among them, and makes the root by itself.</p>`
}
</div>`,
  }
}
