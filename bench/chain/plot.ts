import { FORMS, type Form } from './forms.ts'
import { LENGTHS, type Totals } from './report.ts'

const [WIDTH, HEIGHT] = [776, 440]
/** Room around the plot, for axes, labels and legend. */
const MARGIN = { left: 64, right: 184, top: 48, bottom: 56 }
/** Okabe and Ito's colours, told apart by colour-blind eyes too; each form also has a marker of its own. */
const STYLES: Record<Form, { colour: string; marker: string; width: number }> = {
  fused: { colour: '#d55e00', marker: 'M-5-5h10v10h-10z', width: 3 },
  groups: { colour: '#e69f00', marker: 'M0-6L6 5H-6z', width: 2 },
  'exit rewrite': { colour: '#009e73', marker: 'M0 6L6-5H-6z', width: 2 },
  wrap: { colour: '#595959', marker: 'M0-6L6 0L0 6L-6 0z', width: 2 },
  called: { colour: '#cc79a7', marker: 'M-6-2h4v-4h4v4h4v4h-4v4h-4v-4h-4z', width: 2 },
  cooperative: { colour: '#56b4e9', marker: 'M-5 0a5 5 0 1 0 10 0a5 5 0 1 0-10 0z', width: 2 },
  dispatcher: { colour: '#0072b2', marker: 'M-6-3h12v6h-12z', width: 2 },
}
const [INK, FAINT, PAPER] = ['#1f2328', '#d8dee4', '#ffffff']
const LABELS: Record<Form, string> = {
  fused: 'fused (as shipped)',
  groups: 'groups of 5 fused',
  'exit rewrite': 'exit rewrite',
  wrap: 'wrap',
  called: 'called',
  cooperative: 'cooperative',
  dispatcher: 'dispatcher',
}

/**
 * The totals of chains of tiny programs as an SVG drawing. It brings a light ground of its own, so that it reads the same
 * on a page of any colour.
 */
export function plotOf(totals: Totals): string {
  const most = niceCeiling(Math.max(...FORMS.flatMap((form) => totals[form])))
  const longest = LENGTHS.at(-1) ?? 1
  const [right, bottom] = [WIDTH - MARGIN.right, HEIGHT - MARGIN.bottom]
  const x = (length: number): number => MARGIN.left + (length / longest) * (right - MARGIN.left)
  const y = (ns: number): number => bottom - (ns / most) * (bottom - MARGIN.top)
  const steps = Array.from({ length: 6 }, (_, step) => (most / 5) * step)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="system-ui, sans-serif" font-size="13" fill="${INK}" role="img" aria-labelledby="title">`,
    '<title id="title">Nanoseconds per packet by number of programs in a chain</title>',
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="8" fill="${PAPER}"/>`,
    text(MARGIN.left, 28, 'Cost of a chain of tiny programs', 'font-size="16" font-weight="600"'),
    ...steps.flatMap((ns) => [
      `<path d="M${MARGIN.left} ${at(y(ns))}H${right}" stroke="${ns === 0 ? INK : FAINT}"/>`,
      text(MARGIN.left - 8, y(ns) + 4, `${ns}`, 'text-anchor="end"'),
    ]),
    ...LENGTHS.flatMap((length) => [
      `<path d="M${at(x(length))} ${bottom}v5" stroke="${INK}"/>`,
      text(x(length), bottom + 20, `${length}`, 'text-anchor="middle"'),
    ]),
    text((MARGIN.left + right) / 2, HEIGHT - 14, 'programs in the chain', 'text-anchor="middle"'),
    `<text transform="translate(18 ${at((MARGIN.top + bottom) / 2)}) rotate(-90)" text-anchor="middle">ns per packet</text>`,
    // what matters most is drawn last, on top
    ...[...FORMS].reverse().flatMap((form) =>
      line(
        form,
        LENGTHS.map((length, column) => [x(length), y(totals[form][column] ?? 0)]),
      ),
    ),
    ...[...FORMS]
      .sort((a, b) => (totals[b].at(-1) ?? 0) - (totals[a].at(-1) ?? 0))
      .flatMap((form, row) => legend(form, right + 16, MARGIN.top + 12 + row * 24)),
    '</svg>\n',
  ].join('\n')
}

/** The least of 1, 1.5, 2, 3, 4 and 5 times a power of ten, times 5, that is not below. */
function niceCeiling(value: number): number {
  const step = 10 ** Math.floor(Math.log10(value / 5))
  const factor = [1, 1.5, 2, 3, 4, 5, 10].find((candidate) => candidate * step * 5 >= value) ?? 10
  return factor * step * 5
}

const at = (coordinate: number): string => `${Math.round(coordinate * 10) / 10}`

const text = (x: number, y: number, content: string, attributes = ''): string =>
  `<text x="${at(x)}" y="${at(y)}" ${attributes}>${content}</text>`

const marker = (form: Form, x: number, y: number): string =>
  `<path transform="translate(${at(x)} ${at(y)})" d="${STYLES[form].marker}" fill="${STYLES[form].colour}"/>`

function line(form: Form, points: readonly (readonly [number, number])[]): string[] {
  const { colour, width } = STYLES[form]
  const way = points.map(([x, y]) => `${at(x)},${at(y)}`).join(' ')
  return [
    `<polyline points="${way}" fill="none" stroke="${colour}" stroke-width="${width}"/>`,
    ...points.map(([x, y]) => marker(form, x, y)),
  ]
}

function legend(form: Form, x: number, y: number): string[] {
  const { colour, width } = STYLES[form]
  return [
    `<path d="M${x} ${y}h24" stroke="${colour}" stroke-width="${width}"/>`,
    marker(form, x + 12, y),
    text(x + 32, y + 4, LABELS[form]),
  ]
}
