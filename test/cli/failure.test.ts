import { describe, expect, test } from 'vitest'
import { reportFailure } from '../../src/cli/failure.ts'
import { DomainError, type ErrorCode } from '../../src/domain/errors.ts'
import { memoryIo } from './hookline.ts'

describe('a failure on the command line', () => {
  test.each<[ErrorCode, number]>([
    ['usage', 2],
    ['no_registry', 2],
    ['signature_invalid', 3],
    ['policy_denied', 3],
    ['not_found', 4],
    ['version_not_found', 4],
    ['verifier_refused', 5],
    ['kernel_too_old', 5],
    ['forbidden', 1],
    ['registry_unavailable', 1],
    ['not_supported_yet', 1],
  ])('%s gives the exit code %i', (code, exit) => {
    expect(reportFailure(memoryIo(), false, new DomainError(code, 'x'))).toBe(exit)
  })

  test('is a line with its code, and a line with what to do', () => {
    const io = memoryIo()
    reportFailure(io, false, new DomainError('no_token', 'no token is given'))
    expect([io.out, io.err]).toEqual([
      '',
      'hookline: no token is given [no_token]\n  log in with `hookline login`, set HOOKLINE_TOKEN, or pass --token-file\n',
    ])
  })

  test('is one JSON object on standard output with --json', () => {
    const io = memoryIo()
    reportFailure(io, true, new DomainError('no_token', 'no token is given'))
    expect(io.err).toBe('')
    expect(JSON.parse(io.out)).toEqual({
      error: {
        code: 'no_token',
        message: 'no token is given',
        remedy: 'log in with `hookline login`, set HOOKLINE_TOKEN, or pass --token-file',
      },
    })
  })

  test('cannot move the cursor by what a registry says', () => {
    const io = memoryIo()
    reportFailure(io, false, new DomainError('registry_answer', 'a\u001b[1A\nhookline: all is well'))
    expect(io.err.split('\n')[0]).toBe('hookline: a\\u{1b}[1A\\u{a}hookline: all is well [registry_answer]')
  })

  test('shows the end of a long log', () => {
    const io = memoryIo()
    const log = Array.from({ length: 100 }, (_, at) => `line ${at}`).join('\n')
    reportFailure(io, false, new DomainError('verifier_refused', 'x', { log }))
    expect(io.err).toContain('  | line 99')
    expect(io.err).not.toContain('line 79\n')
  })
})
