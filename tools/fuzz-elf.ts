import { parseArgs } from 'node:util'
import { BOUNDS, type FuzzReport, runFuzz } from './fuzz/run-fuzz.ts'
import { compileSeeds } from './fuzz/seed-objects.ts'

const HELP = `npm run fuzz:elf -- [options]: feeds the object reader with changed objects
  --count N   how many objects (default 100000)
  --seed N    which objects (default 1): the same seed gives the same objects
  --first N   number of the first object (default 0), to read a reported one again
  --json      the report as JSON
Exit code 1 when an object gave anything but an answer or a named error, took more than ${BOUNDS.object_ms} ms,
or when memory went over ${BOUNDS.rss_bytes >> 20} MiB.`

/** A whole number of the command line. */
function whole(name: string, text: string, least: number): number {
  const number = Number(text)
  if (Number.isSafeInteger(number) && number >= least) return number
  console.error(`fuzz:elf: --${name} ${text} is no whole number from ${least}`)
  process.exit(2)
}

function show(report: FuzzReport): void {
  const mib = (report.peakRss_bytes / 2 ** 20).toFixed(0)
  console.log(
    `${report.count} objects of seed ${report.seed} in ${report.seconds.toFixed(1)} s (${report.objectsPerSecond}/s)`,
  )
  console.log(
    `slowest ${report.slowest_ms.toFixed(1)} ms, peak memory ${mib} MiB, accepted ${report.accepted}`,
  )
  for (const [code, count] of Object.entries(report.refused).sort((a, b) => b[1] - a[1]))
    console.log(`${String(count).padStart(8)}  ${code}`)
  for (const { index, why } of report.failures) console.log(`FAILED object ${index}: ${why}`)
}

const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    first: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) console.log(HELP)
else {
  const count = whole('count', values.count, 1)
  const options = { count, seed: whole('seed', values.seed, 0), first: whole('first', values.first, 0) }
  const terminal = process.stderr.isTTY === true
  const report = runFuzz(compileSeeds(), options, (done) => {
    if (terminal) process.stderr.write(`\r${done} of ${count} objects`)
  })
  if (terminal) process.stderr.write('\r\x1b[K')
  if (values.json) console.log(JSON.stringify(report))
  else show(report)
  if (report.failures.length > 0) process.exitCode = 1
}
