import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { load, machine } from '../machine.ts'
import { rounded, type Times, timedInTurns, timesOf, timesTable } from '../times.ts'
import { type Audited, measureAudit } from './audit.ts'
import { type LogDatabase, openLogDatabase } from './log-database.ts'
import { type ProofCase, proofChecks } from './proofs.ts'
import { measureSignatures, type SignatureCase } from './signatures.ts'

const HELP = `npm run bench:trust -- [options]: what it takes to check signatures and proofs, and to keep and audit the log
  --entries N  of the large log (default 1000000), built in batches by the registry's own append
  --appends N  single ones that are timed, on each log and each way (default 400)
  --rounds N   of each check (default 1000)
  --json       the figures as one line, the last
Exit code 1 when a floor is missed, which only the default sizes can tell.`

/** What docs/performance.md promises, in milliseconds; of the audit for a million entries. */
const FLOORS = { verifyP50Ms: 0.3, appendP50Ms: 5, proofCheckMs: 0.2, auditMs: 60_000 } as const

interface Sizes {
  readonly entries: number
  readonly appends: number
  readonly rounds: number
}

/** Single appends, by the size of the log and by whether they are forced to the disk. */
interface Appends {
  readonly empty: Times
  readonly emptyNoFsync: Times
  readonly large: Times
  readonly largeNoFsync: Times
}

interface Measured {
  readonly signatures: Record<SignatureCase, Times>
  readonly appends: Appends
  readonly buildSeconds: number
  readonly proofs: Record<ProofCase, Times>
  readonly audit: Audited
}

const note = (line: string): void => void process.stderr.write(`${line}\n`)

/** Says how far something is at every tenth of it. */
function tenths(what: string): (done: number, total: number) => void {
  let said = 0
  return (done, total) => {
    const tenth = Math.floor((done * 10) / total)
    if (tenth > said) note(`${what}: ${done} of ${total}`)
    said = Math.max(said, tenth)
  }
}

/** Appends with and without fsync, in turns, so that what else the machine does hits both. */
async function bothWays(database: LogDatabase, count: number): Promise<{ on: Times; off: Times }> {
  const times: { on: number[]; off: number[] } = { on: [], off: [] }
  await database.appends(Math.min(count, WARM_UPS), 'on')
  for (let turn = 0; turn < TURNS; turn++)
    for (const fsync of ['on', 'off'] as const)
      times[fsync].push(...(await database.appends(Math.ceil(count / TURNS), fsync)))
  return { on: timesOf(times.on), off: timesOf(times.off) }
}
const [TURNS, WARM_UPS] = [4, 200]

async function measure(dir: string, { entries, appends, rounds }: Sizes): Promise<Measured> {
  note('signatures')
  const signatures = await measureSignatures(join(dir, 'release'), rounds)
  const dataDir = join(dir, 'registry')
  await mkdir(dataDir, { mode: 0o711 })
  const database = await openLogDatabase(dataDir)
  let closed = false
  try {
    note('appends to the empty log')
    const empty = await bothWays(database, appends)
    const start = performance.now()
    const building = tenths('building the log')
    await database.growTo(entries, (done) => building(done, entries))
    const buildSeconds = Math.round((performance.now() - start) / 100) / 10
    note('appends to the large log')
    const large = await bothWays(database, appends)
    note('proofs')
    const checks = await proofChecks(database.logs)
    await database.close() // it still tidies up, on a core that may be the other half of ours
    closed = true
    const proofs = timedInTurns(checks, rounds)
    const audit = await measureAudit(dataDir, tenths('auditing'))
    const times = { empty: empty.on, emptyNoFsync: empty.off, large: large.on, largeNoFsync: large.off }
    return { signatures, appends: times, buildSeconds, proofs, audit }
  } finally {
    if (!closed) await database.close()
  }
}

/** The figures that have a floor: of several that it binds, the worst. */
function headline({ signatures, appends, proofs, audit }: Measured): Record<keyof typeof FLOORS, number> {
  return {
    verifyP50Ms: Math.max(signatures.ed25519.p50Ms, signatures.p256.p50Ms),
    appendP50Ms: Math.max(appends.empty.p50Ms, appends.large.p50Ms),
    proofCheckMs: Math.max(proofs.inclusion.p50Ms, proofs.consistency.p50Ms),
    auditMs: audit.auditMs,
  }
}

function tableOf({ signatures, appends, buildSeconds, proofs, audit }: Measured): string {
  const rows = [
    ...Object.entries(signatures).map(([name, times]) => [`release: ${name}`, times] as const),
    ['append, empty log', appends.empty] as const,
    ['append, empty log, no fsync', appends.emptyNoFsync] as const,
    ['append, large log', appends.large] as const,
    ['append, large log, no fsync', appends.largeNoFsync] as const,
    ...Object.entries(proofs).map(([name, times]) => [`proof: ${name}`, times] as const),
  ]
  const rate = Math.round(audit.entries / (audit.auditMs / 1000))
  return [
    timesTable(rows),
    `log of ${audit.entries} entries built in ${buildSeconds} s, audited over HTTP in ${(audit.auditMs / 1000).toFixed(1)} s (${rate} entries/s; registry ${audit.registryRssMiB} MiB, auditor ${audit.auditorRssMiB} MiB)`,
  ].join('\n')
}

function json(measured: Measured, sizes: Sizes): string {
  const { signatures, appends, proofs } = measured
  const [included, continued] = [proofs['inclusion with checkpoint'], proofs['consistency with checkpoint']]
  const ratio = (a: Times, b: Times): number => rounded(a.p50Ms / b.p50Ms)
  return JSON.stringify({
    ...headline(measured),
    proofWithCheckpointMs: Math.max(included.p50Ms, continued.p50Ms),
    fsyncRatio: {
      empty: ratio(appends.empty, appends.emptyNoFsync),
      large: ratio(appends.large, appends.largeNoFsync),
    },
    cachedRatio: ratio(signatures.ed25519, signatures['cached verdict']),
    keylessRatio: ratio(signatures.keyless, signatures.p256),
    ...{ machine: machine(), load: load(), sizes, details: measured },
  })
}

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '1000000' },
    appends: { type: 'string', default: '400' },
    rounds: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const sizes: Sizes = {
  ...{ entries: Number(values.entries), appends: Number(values.appends), rounds: Number(values.rounds) },
}
if (values.help) console.log(HELP)
else if (!Object.values(sizes).every((size) => Number.isSafeInteger(size) && size > 0)) {
  console.error('bench:trust: a number is no whole number from 1')
  process.exitCode = 2
} else {
  const dir = await mkdtemp(join(tmpdir(), 'hookline-bench-trust-'))
  await chmod(dir, 0o711) // the database's user walks through
  try {
    const measured = await measure(dir, sizes)
    console.log(`${machine()}, load ${load()}\n\n${tableOf(measured)}\n`)
    const figures = headline(measured)
    for (const [name, floor] of Object.entries(FLOORS)) {
      const found = figures[name as keyof typeof FLOORS]
      const holds = found < floor
      console.log(`${holds ? 'holds ' : 'MISSED'} ${name} ${found}, floor ${floor}`)
      if (!holds) process.exitCode = 1
    }
    if (values.json) console.log(json(measured, sizes))
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}
