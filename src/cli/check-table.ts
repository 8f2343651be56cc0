import type { Check } from '../domain/check.ts'
import type { Io } from './io.ts'
import { renderTable } from './table.ts'

/** Checks as a table, with what to do below each that did not hold. */
export function renderChecks(io: Io, checks: readonly Check[]): string {
  const rows = checks.flatMap(({ check, level, code, detail, remedy }) => [
    [check, level, code === undefined ? detail : `${detail} [${code}]`],
    ...(remedy === undefined ? [] : [['', '', `→ ${remedy}`]]),
  ])
  return renderTable(io, ['check', 'result', 'what'], rows)
}
