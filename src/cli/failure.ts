import { Check } from '../domain/check.ts'
import { asDomainError, DomainError, type ErrorKind, reportOf } from '../domain/errors.ts'
import { renderChecks } from './check-table.ts'
import type { Io } from './io.ts'
import { jsonText, printable, printableLines, red, shown } from './terminal.ts'

/** Exit code of each kind of failure; 0 is success. */
const EXIT_CODES: Record<ErrorKind, number> = {
  usage: 2,
  untrusted: 3,
  not_found: 4,
  kernel: 5,
  invalid: 1,
  unauthenticated: 1,
  forbidden: 1,
  conflict: 1,
  too_large: 1,
  unsupported: 1,
  unavailable: 1,
  environment: 1,
  internal: 1,
}

/** Lines of a long log that are shown below an error: the last ones say why. */
const LOG_LINES = 20

/**
 * Tells of a failure, as text on standard error or as one JSON object on standard output, and gives the exit code.
 * `command`, such as `hookline function apply`, is the one whose help is pointed at. A stack is shown only when
 * HOOKLINE_DEBUG is 1.
 */
export function reportFailure(io: Io, json: boolean, thrown: unknown, command?: string): number {
  const error = asDomainError(thrown)
  const remedy = remedyOf(thrown, command)
  if (json) io.write(`${jsonText({ error: { ...reportOf(error), remedy } })}\n`)
  else {
    io.note(`${red(io, 'hookline:')} ${printable(error.message)} [${error.code}]\n  ${remedy}\n`)
    if (error.log !== undefined) io.note(`${lastLines(error.log)}\n`)
    const checks = Check.array().safeParse(error.checks)
    if (checks.success && checks.data.length > 1) io.note(`${renderChecks(io, checks.data)}\n`)
  }
  if (io.env['HOOKLINE_DEBUG'] === '1') io.note(`${shown(stackOf(thrown))}\n`)
  return EXIT_CODES[error.kind]
}

function remedyOf(thrown: unknown, command: string | undefined): string {
  if (!(thrown instanceof DomainError)) return 'run it again with HOOKLINE_DEBUG=1 and report what it prints'
  return thrown.code === 'usage' && command !== undefined ? `see \`${command} --help\`` : thrown.remedy
}

const lastLines = (log: string): string =>
  printableLines(log.trimEnd().split('\n').slice(-LOG_LINES).join('\n')).replace(/^/gm, '  | ')

function stackOf(thrown: unknown): string {
  const own = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown)
  const cause = thrown instanceof Error ? thrown.cause : undefined
  return cause === undefined ? own : `${own}\ncaused by ${stackOf(cause)}`
}
