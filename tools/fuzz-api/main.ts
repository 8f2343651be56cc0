import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { fuzzApi } from './fuzz-api.ts'
import { openFuzzedRegistry } from './fuzzed-registry.ts'

const HELP = `npm run fuzz:api -- [options]: sends requests made up from openapi.yaml to a registry of its own
  --count N   how many (default 20000)
  --seed N    which (default 1): the same seed makes the same requests
  --json      the report as one line, the last
Exit code 1 when the registry fails, or answers otherwise than described.`
const { values } = parseArgs({
  options: {
    count: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit()
}
const dir = await mkdtemp(join(tmpdir(), 'hookline-fuzz-api-'))
await chmod(dir, 0o711)
const registry = await openFuzzedRegistry(dir)
try {
  const report = await fuzzApi(registry.app, registry.description, registry.actors, {
    ...{ count: Number(values.count), seed: Number(values.seed) },
    progress: (done) => process.stderr.write(`\r${done} of ${values.count} requests`),
  })
  process.stderr.write('\n')
  for (const { number, request, status, why, answer } of report.failures)
    console.error(`request ${number}: ${why}\n  ${request}\n  ${status} ${answer}`)
  for (const failure of registry.failures) console.error('the registry reports:', failure)
  const statuses = Object.entries(report.byStatus).map(([status, count]) => `${status}: ${count}`)
  console.error(`${report.requests} requests to ${report.operations} operations; ${statuses.join(', ')}`)
  const failed = report.failures.length + registry.failures.length
  if (values.json)
    console.log(
      JSON.stringify({
        ...{ requests: report.requests, operations: report.operations, byStatus: report.byStatus },
        ...{
          failures: report.failures.length,
          reported: registry.failures.length,
          seed: Number(values.seed),
        },
      }),
    )
  if (failed > 0) process.exitCode = 1
} finally {
  await registry.close()
  await rm(dir, { recursive: true })
}
