import type { InclusionStep } from '../../tlog/proof.ts'
import { type Html, html } from '../html.ts'

const [WIDTH, RISE, BOX, HIGH] = [340, 54, 132, 26]
/** Centres of what stands left and right. */
const [LEFT, RIGHT] = [WIDTH / 4, (WIDTH * 3) / 4]

/** Where the hash of a step stands: below it the leaf or the step before, and its sibling on the other side. */
const ownSide = (step: InclusionStep | undefined): number =>
  step === undefined ? WIDTH / 2 : step.side === 'left' ? RIGHT : LEFT

/** The way from an entry up to the root, each joint with the sibling of the proof beside it. */
export function proofPicture(leaf: Buffer, steps: readonly InclusionStep[]): Html {
  const height = HIGH + steps.length * RISE
  const bottom = (level: number): number => height - level * RISE
  const own = [leaf, ...steps.map(({ hash }) => hash)]
  const label = `The ${steps.length} hashes that lead from the entry to the root`
  return html`<svg class="audit-path" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img" aria-label="${label}">
${steps.map(({ sibling }, level) => {
  const [x, y] = [ownSide(steps[level]), bottom(level)]
  const [beside, above] = [WIDTH - x, ownSide(steps[level + 1])]
  return html`<path class="own" d="M${x} ${y - HIGH}V${y - HIGH - 14}H${above}V${y - RISE}"/>
<path d="M${beside} ${y - HIGH}V${y - HIGH - 14}H${above}"/>
${box(beside, y, sibling, 'given')}`
})}
${own.map((hash, level) => box(ownSide(steps[level]), bottom(level), hash, level === steps.length ? 'root' : 'own'))}
</svg>`
}

const box = (x: number, y: number, hash: Buffer, kind: string): Html =>
  html`<rect class="${kind}" x="${x - BOX / 2}" y="${y - HIGH + 0.5}" width="${BOX}" height="${HIGH - 1}" rx="4"/><text x="${x}" y="${y - 8}">${hash.toString('hex').slice(0, 12)}…</text>`
