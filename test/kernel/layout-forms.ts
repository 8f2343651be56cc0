import { type LaidEntry, type Layout, type LayoutEntry, mustBeCalled } from '../../src/bytecode/layout.ts'
import { pick, type Random } from '../../tools/fuzz/random.ts'
import type { Form } from './compared-chains.ts'

/** Inlined where an entry lets itself be. */
const laid = (entries: readonly LayoutEntry[], called = false): LaidEntry[] =>
  entries.map((_, position) => ({ position, called: called || mustBeCalled(entries, position) }))

/** Groups of the given sizes in turn. */
function cut(all: readonly LaidEntry[], sizeOf: (group: number) => number): Layout {
  const groups: LaidEntry[][] = []
  for (let at = 0; at < all.length; ) {
    const size = sizeOf(groups.length)
    groups.push(all.slice(at, at + size))
    at += size
  }
  return groups
}

/** Every transformation, alone. */
export const FORMS: Readonly<Record<string, Form>> = {
  fused: (entries) => [laid(entries)],
  groups: (entries) => cut(laid(entries), (group) => 2 + (group % 2)),
  called: (entries) => [laid(entries, true)],
  'exit rewrite': (entries) => cut(laid(entries), () => 1),
  wrap: (entries) => cut(laid(entries, true), () => 1),
}

/** Groups of any size, entries inlined or called, by chance. */
export const mixed =
  (random: Random, most: number): Form =>
  (entries) =>
    cut(
      laid(entries).map(({ position, called }) => ({ position, called: called || random(4) === 0 })),
      () => pick(random, [1, 2, 3, most, most]),
    )
