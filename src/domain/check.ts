import { z } from 'zod'
import { asDomainError, type ErrorCode } from './errors.ts'

/** What a check before a publish found: `error` keeps the release out, `warning` does not. */
export const Check = z.strictObject({
  check: z.enum([
    ...(['manifest', 'name', 'version', 'licence', 'files', 'objects', 'permissions', 'chaining'] as const),
    ...(['gpl-helpers', 'kernel', 'pins', 'duplicate', 'signature', 'provenance'] as const),
  ]),
  level: z.enum(['ok', 'warning', 'error']),
  /** Code of the error by which a publish is refused. */
  code: z.string().optional(),
  detail: z.string(),
  remedy: z.string().optional(),
})
export type Check = z.infer<typeof Check>

/** All that was checked; `publishable`: no error among it. */
export const CheckList = z.strictObject({ publishable: z.boolean(), checks: z.array(Check) })
export type CheckList = z.infer<typeof CheckList>

/** A check that held. */
export const passed = (check: Check['check'], detail: string): Check => ({ check, level: 'ok', detail })

/** A check that found what its publisher should know. */
export const warned = (check: Check['check'], detail: string, remedy: string): Check => ({
  ...{ check, level: 'warning', detail, remedy },
})

/** Runs a check that throws when it fails, and gives what it found. Failures that are no refusal are thrown on. */
export function checked(check: Check['check'], detail: string, run: () => void): Check {
  try {
    run()
    return passed(check, detail)
  } catch (thrown) {
    const error = asDomainError(thrown)
    if (error.code === 'internal') throw thrown
    return failed(check, error)
  }
}

/** A check that failed. */
export const failed = (
  check: Check['check'],
  { code, message, remedy }: { code: ErrorCode; message: string; remedy: string },
): Check => ({ ...{ check, level: 'error', code, detail: message, remedy } })
