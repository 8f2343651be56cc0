import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { guestEnvironment, REPOSITORY } from './guest-environment.ts'
import { isKernelSeries, KERNELS, type KernelSeries, kernelImage } from './kernel-image.ts'
import { runInVm } from './machine.ts'
import { type KernelReport, readReport, showReports } from './test-report.ts'

/** The tests that depend on the kernel that they run on. */
const TESTS = ['test/kernel', 'test/programs']
const HELP = `npm run test:kernels -- [options] [file or folder ...]: the kernel tests on this kernel, then on others
  --kernel S    a series (${Object.keys(KERNELS).join(', ')}); may be given again (default: all)
  --json        the reports as JSON
Tests: ${TESTS.join(' ')} unless others are named. Exit code 1 when a test fails on one of the kernels.`

/** Emulation is ten to thirty times slower; a test that hangs is still ended. */
const TEST_MS = 600_000
/** All tests on one kernel; a kernel of a busy machine took half an hour. */
const KERNEL_MS = 3_600_000
/** Modules of the guest's kernel whose functions are called. */
const MODULES = ['nf_conntrack']
const RESULTS = '/tmp/hookline-results.json'

const vitest = (tests: readonly string[], results: string): string[] => [
  ...[join(REPOSITORY, 'node_modules/.bin/node'), join(REPOSITORY, 'node_modules/vitest/vitest.mjs'), 'run'],
  ...['--reporter=default', '--reporter=json', `--outputFile.json=${results}`],
  ...[`--testTimeout=${TEST_MS}`, `--hookTimeout=${TEST_MS}`],
  ...tests,
]

const seconds = (since_ms: number): number => (performance.now() - since_ms) / 1000

/** Runs the tests on this machine's kernel, which also compiles every object for the others. */
async function onHost(tests: readonly string[], objects: string): Promise<KernelReport> {
  const results = join(objects, 'host.json')
  const start = performance.now()
  const [command = '', ...args] = vitest(tests, results)
  const child = spawn(command, args, {
    cwd: REPOSITORY,
    env: { ...process.env, CI: 'true', HOOKLINE_BPF_OBJECTS: objects },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  child.stdout.pipe(process.stderr)
  await once(child, 'close')
  return readReport(readFileSync(results, 'utf8'), `${release()} (here)`, seconds(start), REPOSITORY)
}

async function onKernel(
  series: KernelSeries,
  tests: readonly string[],
  objects: string,
): Promise<KernelReport> {
  const kernel = kernelImage(series)
  process.stderr.write(`\n${kernel.release}\n`)
  const start = performance.now()
  const { collected, exitCode } = await runInVm({
    kernel,
    command: vitest(tests, RESULTS),
    cwd: REPOSITORY,
    env: { ...guestEnvironment(series), HOOKLINE_BPF_OBJECTS: objects },
    load: MODULES,
    collect: RESULTS,
    timeout_ms: KERNEL_MS,
    output: process.stderr,
  })
  if (collected === undefined) throw new Error(`vitest ended with ${exitCode} on ${series} without a report`)
  return readReport(collected.toString(), kernel.release, seconds(start), REPOSITORY)
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    kernel: { type: 'string', multiple: true, default: Object.keys(KERNELS) },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

async function main(): Promise<void> {
  const series = values.kernel.filter(isKernelSeries)
  const unknown = values.kernel.find((name) => !isKernelSeries(name))
  if (unknown !== undefined) {
    console.error(`test:kernels: no kernel ${unknown}\n${HELP}`)
    process.exitCode = 2
    return
  }
  const tests = positionals.length > 0 ? positionals : TESTS
  // inside the checkout's disk, which the guests see; by its real path, as theirs
  const objects = mkdtempSync(join(realpathSync(join(REPOSITORY, 'node_modules/.cache')), 'bpf-objects-'))
  try {
    const reports = [await onHost(tests, objects)]
    for (const each of series) reports.push(await onKernel(each, tests, objects))
    console.log(values.json ? JSON.stringify(reports) : `\n${showReports(reports)}`)
    if (reports.some(({ failures }) => failures.length > 0)) process.exitCode = 1
  } finally {
    rmSync(objects, { recursive: true, force: true })
  }
}

if (values.help) console.log(HELP)
else await main()
