import type { BuildTimes } from './builds.ts'
import { FORMS, type Form } from './forms.ts'

/** Lengths of the chains of tiny programs. */
export const LENGTHS = [1, 2, 5, 10, 20, 30] as const
const [SHORTEST, LONGEST] = [1, 30] as const

/** Nanoseconds per packet by form, in the order of some columns. */
export type Totals = Readonly<Record<Form, readonly number[]>>

/** What the benchmark measured. */
export interface Figures extends BuildTimes {
  /** Chains of tiny programs, by {@link LENGTHS}. */
  readonly totals: Totals
  /** Chains of other programs by name: their number of entries, and nanoseconds per packet by form. */
  readonly mixtures: Readonly<Record<string, { readonly entries: number; readonly ns: Record<Form, number> }>>
}

/** What a further program costs: the difference between the longest and the shortest chain, for each program more. */
export function nsPerHop(totals: Totals, form: Form): number {
  const at = (length: (typeof LENGTHS)[number]): number => {
    const ns = totals[form][LENGTHS.indexOf(length)]
    if (ns === undefined) throw new Error(`${form} was not measured at ${length}`)
    return ns
  }
  return (at(LONGEST) - at(SHORTEST)) / (LONGEST - SHORTEST)
}

/** The figures that have a floor: what was measured, the floor, and whether it holds. */
export function floorsOf({ totals, coldBuildMs, changeMs }: Figures): string[] {
  const shipped = nsPerHop(totals, 'fused')
  const times = nsPerHop(totals, 'dispatcher') / shipped
  const line = (holds: boolean, text: string): string => `${holds ? 'holds ' : 'MISSED'}  ${text}`
  return [
    line(shipped <= 1, `a hop as shipped, counters on: ${shipped.toFixed(2)} ns, at most 1`),
    line(times >= 8, `a hop of the dispatcher's shape costs ${times.toFixed(1)} times as much, at least 8`),
    line(coldBuildMs < 500, `a cold build of 20 programs: ${coldBuildMs.toFixed(0)} ms, below 500`),
    line(changeMs < 150, `one change of one of its entries: ${changeMs.toFixed(0)} ms, below 150`),
  ]
}

/** The two tables, as Markdown that also reads well on a terminal. */
export function tablesOf({ totals, mixtures }: Figures): string {
  const names = Object.keys(mixtures)
  return [
    'Chains of tiny programs, ns per packet:\n',
    table(
      ['programs', ...LENGTHS.map(String), 'ns per hop'],
      FORMS.map((form) => [form, ...totals[form].map(whole), nsPerHop(totals, form).toFixed(2)]),
    ),
    '\nChains of other programs, ns per packet:\n',
    table(
      ['form', ...names],
      FORMS.map((form) => [form, ...names.map((name) => whole(mixtures[name]?.ns[form] ?? Number.NaN))]),
    ),
  ].join('\n')
}

const whole = (ns: number): string => ns.toFixed(0)

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((_, at) => Math.max(3, ...[head, ...rows].map((row) => row[at]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0))).join(' | ')} |`
  const rule = widths.map((width, at) => (at === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(head), line(rule), ...rows.map(line)].join('\n')
}
