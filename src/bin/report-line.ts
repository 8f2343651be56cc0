import { inspect } from 'node:util'
import { printable } from '../cli/terminal.ts'
import { DomainError } from '../domain/errors.ts'

/**
 * A failure of a service for its log, `doing` what: one line with the code where it is of a kind that is foreseen, such as a witness
 * that is away, else all that is known of it.
 */
export const reportLine = (error: unknown, doing: string): string =>
  error instanceof DomainError && error.kind !== 'internal'
    ? `hookline: ${doing}: ${printable(error.message)} [${error.code}]`
    : `hookline: ${doing}: ${inspect(error)}`
