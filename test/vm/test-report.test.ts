import { expect, test } from 'vitest'
import { type KernelReport, readReport, showReports } from '../../tools/vm/test-report.ts'

const result = (fullName: string, status: string, failureMessages: string[] = []) => ({
  fullName,
  status,
  failureMessages,
})
const report = (testResults: unknown[]): KernelReport =>
  readReport(JSON.stringify({ testResults }), '6.1.0', 12.4, '/repo')
const file = (name: string, status: string, assertionResults: unknown[], message = '') => ({
  ...{ name: `/repo/test/${name}`, status, message, assertionResults },
})

const mixed = report([
  file('a.test.ts', 'failed', [
    result('a passes', 'passed'),
    result('a fails', 'failed', ['EINVAL: no\n    at x']),
    result('a waits', 'skipped'),
    result('a is to do', 'todo'),
  ]),
  file('b.test.ts', 'failed', [], 'cannot be read\nmore'),
  file('c.test.ts', 'passed', [result('c passes', 'passed')]),
])

test('passed, failed and skipped tests are counted, a broken file as one failed test', () =>
  expect(mixed).toEqual({
    kernel: '6.1.0',
    passed: 2,
    skipped: 2,
    seconds: 12.4,
    failures: [
      { file: 'test/b.test.ts', test: '', why: 'cannot be read' },
      { file: 'test/a.test.ts', test: 'a fails', why: 'EINVAL: no' },
    ],
  }))

test('a file whose set-up failed is one failed test though its tests are only skipped', () =>
  expect(report([file('a.test.ts', 'failed', [result('x', 'skipped')], 'set-up')]).failures).toEqual([
    { file: 'test/a.test.ts', test: '', why: 'set-up' },
  ]))

test('a run in which no test ran is refused, and so is another form', () => {
  expect(() => report([])).toThrow('no test ran on 6.1.0')
  expect(() => report([file('a.test.ts', 'passed', [])])).toThrow('no test ran')
  expect(() => report([file('a.test.ts', 'passed', [result('x', 'skipped')])])).toThrow('no test ran')
  expect(() => readReport('{}', '6.1.0', 1, '/repo')).toThrow('testResults')
})

test('the table has a line a kernel, then what failed, once, with the kernels where it did', () => {
  const other = { ...mixed, kernel: '6.12.117', failures: mixed.failures.slice(1), passed: 102 }
  expect(showReports([mixed, other])).toBe(`kernel    passed  failed  skipped  seconds
6.1.0          2       2        2       12
6.12.117     102       1        2       12

FAILED test/b.test.ts
    6.1.0: cannot be read

FAILED test/a.test.ts a fails
    6.1.0: EINVAL: no
    6.12.117: EINVAL: no`)
})
