import { xmlText } from './xml.ts'

/** Widths in pixels: of a character of the font at this size, on average, and beside each text. */
const [CHARACTER, PADDING, HEIGHT] = [6.5, 6, 20] as const
const MOST_CHARACTERS = 64

/** An image of two words side by side, such as `hookline | 1.4.0`; longer texts are cut. */
export function badge(label: string, text: string): string {
  const [left, right] = [label, text].map((part) => part.slice(0, MOST_CHARACTERS)) as [string, string]
  const [leftWidth, rightWidth] = [left, right].map(
    (part) => Math.ceil(part.length * CHARACTER) + 2 * PADDING,
  ) as [number, number]
  const width = leftWidth + rightWidth
  const word = (part: string, x: number): string =>
    `<text x="${x}" y="14" text-anchor="middle">${xmlText(part)}</text>`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${HEIGHT}" role="img" aria-label="${xmlText(`${left}: ${right}`)}">`,
    `<title>${xmlText(`${left}: ${right}`)}</title>`,
    `<rect width="${width}" height="${HEIGHT}" rx="3" fill="#1f2a37"/>`,
    `<path d="M${leftWidth} 0h${rightWidth - 3}a3 3 0 0 1 3 3v14a3 3 0 0 1-3 3H${leftWidth}z" fill="#0b6e4f"/>`,
    '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">',
    word(left, leftWidth / 2),
    word(right, leftWidth + rightWidth / 2),
    '</g></svg>',
    '',
  ].join('')
}

/** A number in at most four characters: 999, 1.2k, 12k, 3.4M. */
export function countText(count: number): string {
  for (const [unit, size] of [
    ['G', 1e9],
    ['M', 1e6],
    ['k', 1e3],
  ] as const)
    if (count >= size) {
      const value = count / size
      return `${value < 10 ? Math.floor(value * 10) / 10 : Math.floor(value)}${unit}`
    }
  return String(count)
}
