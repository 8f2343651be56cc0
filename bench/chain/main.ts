import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { asDomainError } from '../../src/domain/errors.ts'
import { ensureBpffs, removeIfEmpty, removeTree } from '../../src/kernel/bpffs.ts'
import { machine } from '../machine.ts'
import { type BuildTimes, measureBuilds } from './builds.ts'
import { FORMS, type Form, type LoadedChain, Workshop } from './forms.ts'
import { measure, stayOnOneCpu } from './measure.ts'
import { plotOf } from './plot.ts'
import type { Kind } from './programs.ts'
import { type Figures, floorsOf, LENGTHS, nsPerHop, tablesOf } from './report.ts'

const HELP = `npm run bench:chain -- [options]: what a hop in a chain costs, in every form, and how long a build takes
  --rounds N  measurements of each chain (default 15): the median counts
  --docs      also writes docs/performance.md's tables and docs/images/bench-chain.svg anew
  --json      prints one JSON object as the last line
Needs root. Attaches only to an interface of a network namespace that it makes.
Exit code 1 when a form fails to load.`

const BPFFS = '/sys/fs/bpf'
const DOCS = fileURLToPath(new URL('../../docs', import.meta.url))
/** The tables stand between these two lines of docs/performance.md. */
const [BEGIN, END] = ['<!-- npm run bench:chain -- --docs writes from here -->', '<!-- to here -->']

const repeated = (kinds: readonly Kind[], times: number): Kind[] => Array(times).fill(kinds).flat()
const MIXTURES: Readonly<Record<string, readonly Kind[]>> = {
  '30 of unknown verdict': repeated(['opaque'], 30),
  '20 counters': repeated(['counter'], 20),
  '(counter, limiter) x10': repeated(['counter', 'limiter'], 10),
  '5 balancers': repeated(['balancer'], 5),
  '(counter, limiter, balancer) x10': repeated(['counter', 'limiter', 'balancer'], 10),
}

interface Measured extends LoadedChain {
  readonly form: Form
  readonly entries: number
  /** Undefined for the chains of tiny programs. */
  readonly mixture: string | undefined
}

async function loadAll(workshop: Workshop): Promise<Measured[]> {
  const chains: Measured[] = []
  const load = async (form: Form, kinds: readonly Kind[], mixture?: string): Promise<void> => {
    try {
      chains.push({ form, entries: kinds.length, mixture, ...(await workshop.load(form, kinds)) })
    } catch (error) {
      const { message } = asDomainError(error)
      throw new Error(`${form} of ${mixture ?? `${kinds.length} tiny programs`}: ${message}`, {
        cause: error,
      })
    }
  }
  for (const form of FORMS) {
    for (const length of LENGTHS) await load(form, repeated(['tiny'], length))
    for (const [name, kinds] of Object.entries(MIXTURES)) await load(form, kinds, name)
  }
  return chains
}

function figuresOf(measured: ReadonlyMap<Measured, number>, builds: BuildTimes): Figures {
  const byForm = <T>(of: (form: Form) => T) =>
    Object.fromEntries(FORMS.map((form) => [form, of(form)])) as Record<Form, T>
  const ns = (form: Form, mixture: string | undefined, entries?: number): number => {
    const found = [...measured].find(
      ([chain]) =>
        chain.form === form && chain.mixture === mixture && (entries ?? chain.entries) === chain.entries,
    )
    if (found === undefined) throw new Error(`${form} was not measured`)
    return found[1]
  }
  return {
    ...builds,
    totals: byForm((form) => LENGTHS.map((length) => ns(form, undefined, length))),
    mixtures: Object.fromEntries(
      Object.entries(MIXTURES).map(([name, kinds]) => [
        name,
        { entries: kinds.length, ns: byForm((form) => ns(form, name)) },
      ]),
    ),
  }
}

function json({ totals, mixtures, coldBuildMs, changeMs }: Figures): string {
  const forms = {
    chainNsPerHop: 'fused',
    groupNsPerHop: 'groups',
    exitRewriteNsPerHop: 'exit rewrite',
    wrapNsPerHop: 'wrap',
    calledNsPerHop: 'called',
    cooperativeNsPerHop: 'cooperative',
    dispatcherNsPerHop: 'dispatcher',
  } as const
  const hops = Object.entries(forms).map(([key, form]) => [key, rounded(nsPerHop(totals, form))])
  const byLength = FORMS.map((form) => [
    form,
    Object.fromEntries(LENGTHS.map((length, at) => [length, totals[form][at]])),
  ])
  return JSON.stringify({
    ...Object.fromEntries(hops),
    totals: Object.fromEntries(byLength),
    mixtures,
    coldBuildMs: rounded(coldBuildMs),
    changeMs: rounded(changeMs),
    machine: machine(),
  })
}

const rounded = (value: number): number => Math.round(value * 1000) / 1000

function writeDocs(figures: Figures): void {
  const [page, plot] = [join(DOCS, 'performance.md'), join(DOCS, 'images', 'bench-chain.svg')]
  const old = readFileSync(page, 'utf8')
  const [from, to] = [old.indexOf(BEGIN), old.indexOf(END)]
  if (from < 0 || to < from) throw new Error(`${page} has no place for the tables`)
  const builds = `A cold build of a chain of 20 counters takes ${figures.coldBuildMs.toFixed(0)} ms, one change of one of its entries ${figures.changeMs.toFixed(0)} ms.`
  const text = [`Measured on: ${machine()}.`, tablesOf(figures), builds].join('\n\n')
  mkdirSync(dirname(plot), { recursive: true })
  writeFileSync(page, `${old.slice(0, from)}${BEGIN}\n\n${text}\n\n${old.slice(to)}`)
  writeFileSync(plot, plotOf(figures.totals))
}

async function run(rounds: number): Promise<Figures> {
  const agent = `bench-${process.pid}`
  const folder = join(BPFFS, 'hookline', agent)
  ensureBpffs(BPFFS)
  const builds = await measureBuilds(BPFFS, agent)
  stayOnOneCpu() // after the builds, whose processes would stay there too
  try {
    const chains = await loadAll(new Workshop(folder))
    const measured = measure(chains, rounds)
    for (const chain of chains) chain.close()
    return figuresOf(measured, builds)
  } finally {
    removeTree(folder)
    removeIfEmpty(join(BPFFS, 'hookline'))
  }
}

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    docs: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
const rounds = Number(values.rounds)
if (values.help) console.log(HELP)
else if (!Number.isSafeInteger(rounds) || rounds < 1) {
  console.error(`bench:chain: --rounds ${values.rounds} is no whole number from 1`)
  process.exitCode = 2
} else {
  const figures = await run(rounds)
  console.log(`${machine()}\n\n${tablesOf(figures)}\n`)
  for (const line of floorsOf(figures)) console.log(line)
  if (values.docs) writeDocs(figures)
  if (values.json) console.log(json(figures))
}
