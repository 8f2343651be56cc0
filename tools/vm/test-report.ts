import { relative } from 'node:path'
import { z } from 'zod'

/** What is read of vitest's JSON report, a superset of Jest's. */
const VitestReport = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      status: z.string(),
      message: z.string().optional(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
})

/** A test that did not pass. */
interface FailedTest {
  /** Relative to the checkout. */
  readonly file: string
  /** With the names of its suites; empty when the file as a whole failed. */
  readonly test: string
  /** The first line of what it said. */
  readonly why: string
}

/** How the tests went on one kernel. */
export interface KernelReport {
  /** As `uname -r` says it. */
  readonly kernel: string
  readonly passed: number
  readonly skipped: number
  readonly failures: readonly FailedTest[]
  readonly seconds: number
}

/**
 * Reads vitest's JSON report of one kernel's run. A file that could not be read or set up counts as one failed test. Throws
 * a ZodError on something else, and an Error when no test ran.
 */
export function readReport(text: string, kernel: string, seconds: number, root: string): KernelReport {
  const { testResults } = VitestReport.parse(JSON.parse(text))
  const tests = testResults.flatMap(({ name, assertionResults }) =>
    assertionResults.map((result) => ({ file: relative(root, name), ...result })),
  )
  const broken = testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((result) => result.status === 'failed'),
  )
  const failures = [
    ...broken.map(({ name, message }) => ({ file: relative(root, name), test: '', why: firstLine(message) })),
    ...tests
      .filter(({ status }) => status === 'failed')
      .map(({ file, fullName, failureMessages }) => ({
        file,
        test: fullName,
        why: firstLine(failureMessages?.[0]),
      })),
  ]
  const passed = tests.filter(({ status }) => status === 'passed').length
  const failed = tests.filter(({ status }) => status === 'failed').length
  if (passed + failures.length === 0) throw new Error(`no test ran on ${kernel}`)
  return { kernel, passed, skipped: tests.length - passed - failed, failures, seconds }
}

const firstLine = (text = ''): string => text.split('\n')[0] ?? ''

/** The reports as a table, then each test that failed somewhere, with the kernels where it did and what it said there. */
export function showReports(reports: readonly KernelReport[]): string {
  const rows = reports.map(({ kernel, passed, skipped, failures, seconds }) => [
    kernel,
    ...[passed, failures.length, skipped, Math.round(seconds)].map(String),
  ])
  const all = [['kernel', 'passed', 'failed', 'skipped', 'seconds'], ...rows]
  const widths = all[0]?.map((_, at) => Math.max(...all.map((row) => row[at]?.length ?? 0))) ?? []
  const table = all.map((row) =>
    row
      .map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)))
      .join('  '),
  )
  const failed = new Map<string, string[]>()
  for (const { kernel, failures } of reports)
    for (const { file, test, why } of failures) {
      const name = `${file} ${test}`.trim()
      failed.set(name, [...(failed.get(name) ?? []), `    ${kernel}: ${why}`])
    }
  return [...table, ...[...failed].flatMap(([name, lines]) => ['', `FAILED ${name}`, ...lines])].join('\n')
}
