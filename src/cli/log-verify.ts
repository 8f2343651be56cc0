import type { LogClient } from '../client/log-client.ts'
import { LogName } from '../domain/log.ts'
import type { Opening } from '../tlog/history.ts'
import type { LogPolicy } from '../tlog/log-state.ts'
import { formatNoteKey } from '../tlog/note-key.ts'
import type { Context, Outcome } from './io.ts'
import {
  type AuditedLog,
  auditFurther,
  auditWhole,
  compareRevocations,
  compareTimes,
  keepEvidence,
} from './log-audit.ts'
import { compareCatalog, readCatalog, type ShownCatalog } from './log-catalog.ts'
import { type LogMemory, openLogMemory, remembered, seenLog } from './log-memory.ts'
import { readOpenings } from './log-openings.ts'
import { type LogTrustFlags, logPolicyOf, type PinnedKey, pinnedKey } from './log-pin.ts'
import { followRecovered } from './log-recovered.ts'
import { countingBar } from './progress-bar.ts'
import { connect, connectLog, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { counted } from './terminal.ts'

/** Flags of `hookline log verify`. */
export interface LogVerifyFlags extends RegistryFlags, LogTrustFlags {
  /** Show how far it is, also where there is no terminal. */
  readonly progress: boolean
  /** Verifier keys whose statements lead over to a log that was begun anew. */
  readonly recoveryKey: readonly string[]
}

/** An audit under way. */
interface Audit {
  readonly client: LogClient
  readonly memory: LogMemory
  readonly policy: LogPolicy
  readonly flags: LogVerifyFlags
  readonly context: Context
}

/**
 * Audits a registry: both logs, whole, against fresh checkpoints that continue those seen before; the logs against each other; the
 * public catalog against its log. What disagrees is told, by codes, and the outcome is refused. Throws what refuses a whole
 * log: `log_fork`, `log_rollback`, `log_mismatch`, `log_malformed`, `log_stale`, `log_untrusted`, `witnesses_missing`.
 */
export async function logVerify(flags: LogVerifyFlags, context: Context): Promise<Outcome> {
  const client = await connectLog(context.io, flags)
  // what was yanked is looked at, not used: nobody need be warned of it
  const registry = await connect({ ...context.io, note: () => {} }, flags)
  const memory = await openLogMemory(context.io, flags.state)
  const audit: Audit = { client, memory, policy: logPolicyOf(flags), flags, context }
  await followRecovered(flags, audit)
  const pins = {
    catalog: await pinnedKey('catalog', flags, audit),
    revocations: await pinnedKey('revocations', flags, audit),
  }
  const openings = await readOpenings(registry, client)
  const first = await auditOne(audit, 'catalog', pins.catalog, openings.catalog)
  const before = first.state.size
  const revocations = await auditOne(audit, 'revocations', pins.revocations, openings.revocations)
  const bar = countingBar(context, 'programs', flags.progress)
  const catalog = await readCatalog(registry, (done) => bar.at(done, undefined))
  bar.end()
  // what was shown meanwhile was logged before: the log is read to its end once more
  const last = await refusing(audit, 'catalog', () =>
    auditFurther({ client, log: 'catalog', policy: audit.policy }, first),
  )
  const { findings: ofCatalog, opened } = await compareCatalog(catalog, last.history, before, client)
  const findings = [
    ...compareTimes('catalog', last),
    ...compareTimes('revocations', revocations),
    ...compareRevocations(last.history, revocations.history, before),
    ...ofCatalog,
  ]
  const since = new Date().toISOString()
  const keep = (log: LogName, { state, note }: AuditedLog) =>
    remembered(state, note, {
      trust: pins[log].trust,
      since: memory.of(client.registry, log)?.since ?? since,
    })
  await memory.save(client.registry, {
    catalog: keep('catalog', last),
    revocations: keep('revocations', revocations),
  })
  const found = { catalog: last, revocations, shown: catalog, opened }
  const json = {
    ...{ registry: client.registry, state: memory.path, findings },
    logs: LogName.options.map((log) => logJson(log, found[log], pins[log])),
    checked: countsOf(found),
  }
  const text = [summary(context, found), ...findingsText(context, findings), trustText(pins, memory)].join(
    '\n\n',
  )
  return { json, text, refused: findings.length > 0 }
}

async function auditOne(
  audit: Audit,
  log: LogName,
  { key }: PinnedKey,
  openings: ReadonlyMap<number, Opening>,
): Promise<AuditedLog> {
  const { client, memory, policy, context, flags } = audit
  const known = memory.of(client.registry, log)
  const bar = countingBar(context, `log of ${log}`, flags.progress)
  const audited = await refusing(audit, log, () =>
    auditWhole({ client, log, policy }, known === undefined ? key : seenLog(known), bar.at, openings),
  )
  bar.end()
  return audited
}

/** Keeps what convicts a log that is refused. */
async function refusing<T>(
  { client, memory, context }: Audit,
  log: LogName,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (thrown) {
    const known = memory.of(client.registry, log)
    const now = await client.checkpoint(log).catch(() => 'no checkpoint\n')
    const file = await keepEvidence(memory.path, log, thrown, [known?.checkpoint ?? '', now])
    if (file !== undefined) context.progress(`both checkpoints are kept in ${file}`)
    throw thrown
  }
}

interface Found {
  readonly catalog: AuditedLog
  readonly revocations: AuditedLog
  readonly shown: ShownCatalog
  readonly opened: number
}

const logJson = (log: LogName, { state, history }: AuditedLog, { key, trust }: PinnedKey) => ({
  ...{ log, key: formatNoteKey(key), trust, size: state.size, root: state.root.toString('base64') },
  ...{ private: history.hidden.size, unknown: history.unknown },
})

function countsOf({ catalog: { history }, shown, opened }: Found) {
  const seen = new Set(shown.releases.map(({ view }) => `${view.program}@${view.version}`))
  const logged = [...history.releases].filter(([, { deleted }]) => !deleted.value)
  return {
    ...{ programs: shown.programs, releases: shown.releases.length, openedCommitments: opened },
    namespaces: shown.signers.size,
    /** Quarantined, or of a program that was made private. */
    loggedNotShown: logged.filter(([ref]) => !seen.has(ref)).length,
    owners: shown.owners.size,
    operators: shown.operators !== undefined,
  }
}

function summary({ io }: Context, found: Found): string {
  const counts = countsOf(found)
  const { catalog, revocations } = found
  const rows = [
    ...([['catalog', catalog] as const, ['revocations', revocations] as const] as const).map(
      ([log, { state, history }]) => [
        `log of ${log}`,
        String(state.size),
        `entries, ${history.hidden.size} of them hidden, ${history.unknown} of unknown kinds`,
      ],
    ),
    [
      'releases',
      String(counts.releases),
      `releases of ${counted(counts.programs, 'program')}; ${counts.loggedNotShown} logged and not shown`,
    ],
    ['hidden entries', String(counts.openedCommitments), 'opened and compared'],
    ['signers', String(counts.namespaces), 'namespaces'],
    ['owners', String(counts.owners), counts.owners === 0 ? 'members see them' : 'namespaces'],
    ['operators', counts.operators ? '1' : '0', counts.operators ? 'list' : 'people of the fleet see them'],
  ]
  return renderTable(io, ['checked', 'count', 'of what'], rows)
}

const findingsText = (
  { io }: Context,
  findings: readonly { code: string; subject: string; detail: string }[],
): string[] =>
  findings.length === 0
    ? ['all of it agrees']
    : [
        `${counted(findings.length, 'disagreement')}:`,
        renderTable(
          io,
          ['code', 'about', 'what'],
          findings.map(({ code, subject, detail }) => [code, subject, detail]),
        ),
      ]

const trustText = (pins: Record<LogName, PinnedKey>, { path }: LogMemory): string =>
  Object.values(pins).some(({ trust }) => trust === 'first use')
    ? `the keys were trusted on first use; they and what was seen are kept in ${path}`
    : `what was seen is kept in ${path}`
