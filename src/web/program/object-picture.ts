import type { Hook } from '../../domain/hook.ts'
import { LIMITS } from '../../domain/limits.ts'
import type { ObjectReport, ProgramReport } from '../../elf/describe.ts'
import { HOOK_WORDS } from '../catalog/packet-path.ts'
import { type Html, html } from '../html.ts'
import { counted } from '../text.ts'
import { type MapReport, mapSizes, mapWords } from './map-words.ts'

/** An entry of a manifest, as it is drawn. */
export interface DrawnEntry {
  readonly hook: Hook
  readonly program: ProgramReport
}

/** Units of the drawing: boxes of entries and of maps, and what is between them. */
const ENTRY = { x: 0, width: 250, height: 48 } as const
const MAP = { x: 450, width: 310, height: 64 } as const
const [WIDTH, GAP, TOP, HEADING] = [MAP.x + MAP.width, 14, 28, 30] as const
/** Characters that fit into a box, in the typeface of code and in that of text. */
const FITS = { entry: 27, map: 36, words: 46 } as const

const cut = (text: string, most: number): string =>
  text.length > most ? `${text.slice(0, most - 1)}…` : text

/** Where a box is: its upper edge and its middle. */
interface Place {
  readonly y: number
  readonly middle: number
}

/**
 * A drawing of an object: its entries by hook on the left, its maps on the right, and a line from each entry to each map that it
 * uses. What has no room is left out; the table beside says all.
 */
export function objectPicture(
  name: string,
  entries: readonly DrawnEntry[],
  { maps }: Pick<ObjectReport, 'maps'>,
  id: string,
): Html {
  const drawn = entries.slice(0, LIMITS.drawn_items)
  const used = maps.filter((map) => drawn.some(({ program }) => program.maps.includes(map.name)))
  const shown = inOrder(used, drawn).slice(0, LIMITS.drawn_items)
  const left = placeEntries(drawn)
  const right = placeMaps(shown, left.height)
  const height = Math.max(left.height, right.height)
  const lines = drawn.flatMap(({ program }, from) =>
    shown.flatMap((map, to) => {
      const [start, end] = [left.places[from]?.middle, right.places[to]?.middle]
      return program.maps.includes(map.name) && start !== undefined && end !== undefined
        ? [
            html`<path d="M${ENTRY.width} ${start}C${ENTRY.width + 110} ${start} ${MAP.x - 110} ${end} ${MAP.x} ${end}"/>`,
          ]
        : []
    }),
  )
  return html`<div class="scroll" tabindex="0" role="region" aria-label="Drawing of ${name}">
<svg class="object" viewBox="-1 0 ${WIDTH + 2} ${height}" width="${WIDTH + 2}" height="${height}" role="img" aria-labelledby="${id}-title ${id}-desc">
<title id="${id}-title">What ${name} is made of</title>
<desc id="${id}-desc">${counted(drawn.length, 'entry', 'entries')} on the left, ${counted(shown.length, 'map')} on the right, and a line from each entry to each map that it uses. The list below says the same.</desc>
<text class="column" x="${ENTRY.x}" y="14">Entries: where packets come in</text>
${shown.length > 0 && html`<text class="column" x="${MAP.x}" y="14">Maps: what is kept between packets</text>`}
<g class="lines">${lines}</g>
${left.headings.map(({ hook, y }) => html`<text class="hook-name" x="${ENTRY.x}" y="${y}">${HOOK_WORDS[hook].name}</text>`)}
${drawn.map(({ program }, at) => entryBox(program, left.places[at]?.y ?? 0))}
${shown.map((map, at) => mapBox(map, right.places[at]?.y ?? 0))}
</svg></div>
${(drawn.length < entries.length || shown.length < used.length) && html`<p class="quiet">There are more than the drawing has room for: the list below has all.</p>`}`
}

function entryBox({ name, instructions, subprograms }: ProgramReport, y: number): Html {
  const parts = subprograms.length === 0 ? '' : `, ${counted(subprograms.length, 'function')} below`
  return html`<g class="entry"><title>${name}</title><rect x="${ENTRY.x}" y="${y}" width="${ENTRY.width}" height="${ENTRY.height}" rx="6"/>
<text class="name" x="${ENTRY.x + 14}" y="${y + 20}">${cut(name, FITS.entry)}</text><text x="${ENTRY.x + 14}" y="${y + 37}">${counted(instructions, 'instruction')}${parts}</text></g>`
}

function mapBox(map: MapReport, y: number): Html {
  return html`<g class="map ${map.kind}"><title>${map.name}</title><rect x="${MAP.x}" y="${y}" width="${MAP.width}" height="${MAP.height}" rx="6"/>
<text class="name" x="${MAP.x + 14}" y="${y + 20}">${cut(map.name, FITS.map)}</text><text x="${MAP.x + 14}" y="${y + 37}">${cut(mapWords(map), FITS.words)}</text><text class="sizes" x="${MAP.x + 14}" y="${y + 53}">${cut(mapSizes(map), FITS.words)}</text></g>`
}

/** Maps beside those who use them, so that few lines cross; what holds variables comes last. */
function inOrder(maps: readonly MapReport[], entries: readonly DrawnEntry[]): MapReport[] {
  const middleOf = (map: MapReport): number => {
    const users = entries.flatMap(({ program }, at) => (program.maps.includes(map.name) ? [at] : []))
    return users.reduce((sum, at) => sum + at, 0) / users.length
  }
  return [...maps].sort(
    (a, b) => Number(a.kind !== 'map') - Number(b.kind !== 'map') || middleOf(a) - middleOf(b),
  )
}

/** Entries one below the other, those of a hook under its name. */
function placeEntries(entries: readonly DrawnEntry[]) {
  const places: Place[] = []
  const headings: { hook: Hook; y: number }[] = []
  let y = TOP
  let hook: Hook | undefined
  for (const entry of entries) {
    if (entry.hook !== hook) {
      headings.push({ hook: entry.hook, y: y + HEADING - 10 })
      y += HEADING
      hook = entry.hook
    }
    places.push({ y, middle: y + ENTRY.height / 2 })
    y += ENTRY.height + GAP
  }
  return { places, headings, height: y }
}

/** Maps one below the other, in the middle when they need less room than the entries. */
function placeMaps(maps: readonly MapReport[], besideHeight: number) {
  const height = maps.length * (MAP.height + GAP)
  const top = Math.max(TOP, (besideHeight + TOP - height) / 2)
  const places = maps.map((_, at): Place => {
    const y = top + at * (MAP.height + GAP)
    return { y, middle: y + MAP.height / 2 }
  })
  return { places, height: top + height }
}
