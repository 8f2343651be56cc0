import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { serve } from '../../src/bin/serve.ts'
import { SearchPage } from '../../src/domain/search.ts'
import { openDatabase } from '../../src/store/database.ts'
import { type Service, startService } from '../../tools/demo/processes.ts'
import { seedCatalog } from '../../tools/seed/seed-catalog.ts'

const HELP = `npm run bench:search -- [options]: how long searches and program answers take in a large catalog
  --programs N   default 20000, with ten releases each
  --seconds N    of each kind of request (default 30)
  --rate N       requests a second, sent at their time whether or not earlier ones are answered (default 50)
  --json         the figures as one line, the last`

const { values } = parseArgs({
  options: {
    programs: { type: 'string', default: '20000' },
    seconds: { type: 'string', default: '30' },
    rate: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit()
}
const [programs, seconds, rate] = [Number(values.programs), Number(values.seconds), Number(values.rate)]
const BINARY = fileURLToPath(new URL('../../src/bin/hookline.ts', import.meta.url))
const Started = z.object({ url: z.string() })
const note = (line: string): void => void process.stderr.write(`${line}\n`)

/** What people type: whole words, several, beginnings, errors, filters, nothing at all. */
const QUERIES = [
  ...[
    'q=ratelimit',
    'q=firewall+edge',
    'q=conn',
    'q=syn+floods',
    'q=dns',
    'q=ipv6+fragments&hook=xdp',
    'q=ratlimit',
  ],
  ...[
    'q=balancer&license=MIT',
    'q=tunnel&kernel=5.10',
    'q=kubernetes&sort=downloads',
    'q=quiclb&sort=recent',
  ],
  ...[
    'q=flow+log',
    'q=smart+tracer',
    'q=geoblok',
    'q=guards+tls',
    'q=vlan&hook=tc-ingress',
    'hook=tc-egress',
  ],
  ...['', 'sort=downloads', 'q=limit+connections&hook=xdp&signed=key'],
]

/** Words of which every other search is put together anew, so that few are asked twice. */
const WORDS =
  'edge core lab drops limits counts tcp udp quic dns source prefix country core state rate ddos tunnel'.split(
    ' ',
  )
const queryAt = (at: number): string => {
  if (at % 2 === 0) return QUERIES[(at / 2) % QUERIES.length] ?? ''
  const word = (by: number): string => WORDS[(at * by + (at >> 3)) % WORDS.length] ?? ''
  return `q=${word(7)}+${word(11)}${at % 3 === 0 ? '&hook=xdp' : ''}${at % 5 === 0 ? '&sort=downloads' : ''}&limit=${10 + (at % 20)}`
}

interface Times {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly maxMs: number
  readonly count: number
}

/** Sends requests at a fixed rate and takes the time of each from when it was due. */
async function measure(path: (at: number) => string, check: (body: string) => void): Promise<Times> {
  const times: number[] = []
  const open: Promise<void>[] = []
  const begin = performance.now()
  for (let at = 0; at < rate * seconds; at++) {
    const due = begin + (at * 1000) / rate
    const wait_ms = due - performance.now()
    if (wait_ms > 0) await pause(wait_ms)
    open.push(
      fetch(path(at)).then(async (answer) => {
        const body = await answer.text()
        times.push(performance.now() - due)
        if (answer.status !== 200) throw new Error(`${path(at)}: ${answer.status} ${body.slice(0, 200)}`)
        check(body)
      }),
    )
  }
  await Promise.all(open)
  times.sort((a, b) => a - b)
  const quantile = (share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
  const round = (ms: number): number => Math.round(ms * 10) / 10
  return {
    p50Ms: round(quantile(0.5)),
    p99Ms: round(quantile(0.99)),
    maxMs: round(quantile(1)),
    count: times.length,
  }
}

const dir = await mkdtemp(join(tmpdir(), 'hookline-bench-search-'))
await chmod(dir, 0o711)
const dataDir = join(dir, 'data')
let service: Service | undefined
try {
  const seeding = await serve({ dataDir, port: 0 })
  const database = openDatabase(seeding.databaseUrl)
  const start = performance.now()
  await seedCatalog(database.prisma, { programs, releases: programs * 10, seed: 1 })
  const seedSeconds = Math.round((performance.now() - start) / 100) / 10
  note(`seeded ${programs} programs with ${programs * 10} releases in ${seedSeconds} s`)
  const refs = await database.prisma.program.findMany({ select: { ref: true }, take: 2000 })
  await database.close()
  await seeding.close()
  // in a process of its own: whoever asks has other work with the answers, and is not on the registry's machine
  service = startService(BINARY, ['serve', '--data', dataDir, '--port', '0', '--json'])
  const registry = Started.parse(JSON.parse(await service.line((line) => line.startsWith('{'))))
  for (const query of QUERIES) await fetch(`${registry.url}/api/v1/search?${query}`) // connections, plans, caches
  const search = await measure(
    (at) => `${registry.url}/api/v1/search?${queryAt(at)}`,
    (body) => void SearchPage.parse(JSON.parse(body)),
  )
  const program = await measure(
    (at) => `${registry.url}/api/v1/programs/${refs[(at * 7) % refs.length]?.ref}`,
    () => {},
  )
  const row = (name: string, { p50Ms, p99Ms, maxMs, count }: Times): string =>
    `${name.padEnd(16)}${[p50Ms, p99Ms, maxMs, count].map((value) => String(value).padStart(10)).join('')}`
  note(
    `${''.padEnd(16)}${['p50 ms', 'p99 ms', 'max ms', 'requests'].map((head) => head.padStart(10)).join('')}`,
  )
  note(row('search + facets', search))
  note(row('program', program))
  note(`${rate} requests/s, load ${loadavg()[0]?.toFixed(1)}`)
  if (values.json)
    console.log(
      JSON.stringify({
        ...{ programs, releases: programs * 10, rate, seedSeconds },
        ...{ searchP50Ms: search.p50Ms, searchP99Ms: search.p99Ms },
        ...{ programP50Ms: program.p50Ms, programP99Ms: program.p99Ms },
      }),
    )
} finally {
  await service?.stop()
  await rm(dir, { recursive: true })
}
