import type { Io } from './io.ts'
import { bold, printable } from './terminal.ts'

const GAP = '  '
/** A column is never cut below this, however narrow the terminal. */
const MIN_COLUMN = 8

/**
 * Rows under a heading, a line each. Cells are made {@link printable} and, on a terminal, the widest columns are cut until a
 * row fits its width. A column whose cells are all numbers stands on the right.
 */
export function renderTable(io: Io, head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => head.map((_, column) => printable(row[column] ?? '')))
  const widths = fitted(
    head.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0))),
    io.columns,
  )
  const numeric = head.map(
    (_, column) => rows.length > 0 && rows.every((row) => /^[0-9]+$/.test(row[column] ?? '')),
  )
  const lines = cells.map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0
        const text = cell.length > width ? `${cell.slice(0, width - 1)}…` : cell
        return numeric[column] === true ? text.padStart(width) : text.padEnd(width)
      })
      .join(GAP)
      .trimEnd(),
  )
  return [bold(io, lines[0] ?? ''), ...lines.slice(1)].join('\n')
}

/** Whether a table's rows are whole on this terminal, `indent` columns from its left; without a terminal they are. */
export const fitsTerminal = (
  io: Io,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  indent = 0,
): boolean =>
  io.columns === undefined ||
  head.reduce(
    (sum, name, column) =>
      sum + GAP.length + Math.max(name.length, ...rows.map((row) => printable(row[column] ?? '').length)),
    indent - GAP.length,
  ) <= io.columns

/** Names and values below each other, the values aligned; an undefined value is left out. */
export function renderFields(fields: readonly (readonly [string, string | undefined])[]): string {
  const shown = fields.filter((field): field is [string, string] => field[1] !== undefined)
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown.map(([name, value]) => `${name.padEnd(width)}${GAP}${printable(value)}`).join('\n')
}

/** Takes from the widest column, one character at a time, until all fit. */
function fitted(widths: number[], columns: number | undefined): number[] {
  const total = (): number => widths.reduce((sum, width) => sum + width, GAP.length * (widths.length - 1))
  while (columns !== undefined && total() > columns) {
    const widest = Math.max(...widths)
    if (widest <= MIN_COLUMN) break
    widths[widths.indexOf(widest)] = widest - 1
  }
  return widths
}
