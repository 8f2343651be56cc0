import { namespacePath, programPath, releasePath, releaseRef } from '../domain/names.ts'
import type { NewestRelease } from '../ports/catalog.ts'
import { xmlText } from './xml.ts'

/** When a feed without releases was changed last. */
const BEGINNING = '1970-01-01T00:00:00.000Z'

/** The page about all releases, those of a namespace, or those of a program. */
const pageOf = (within: string): string =>
  within === '' ? '/' : within.includes('/') ? programPath(within) : namespacePath(within)

/**
 * An Atom feed (RFC 4287) of releases, the newest first. `base` is the registry's address, `path` the feed's own, `within` what it
 * is about: a namespace or a program; empty for all.
 */
export function releaseFeed(
  releases: readonly NewestRelease[],
  { base, path, within }: { base: string; path: string; within: string },
): string {
  const entries = releases.map(({ program, version, publishedAt, summary, yanked }) => {
    const ref = releaseRef(program, version)
    // what an entry is known by must never change, wherever its page is
    const id = `${base}/api/v1/programs/${program}/versions/${encodeURIComponent(version)}`
    return [
      '  <entry>',
      `    <id>${xmlText(id)}</id>`,
      `    <title>${xmlText(ref)}${yanked === undefined ? '' : ' (yanked)'}</title>`,
      `    <updated>${publishedAt}</updated>`,
      `    <published>${publishedAt}</published>`,
      `    <author><name>${xmlText(program.split('/')[0] ?? '')}</name></author>`,
      `    <link rel="alternate" type="text/html" href="${xmlText(base + releasePath(program, version))}"/>`,
      `    <summary type="text">${xmlText(summary)}</summary>`,
      '  </entry>',
    ].join('\n')
  })
  return [
    '<?xml version="1.0" encoding="utf-8"?>',
    '<feed xmlns="http://www.w3.org/2005/Atom">',
    `  <id>${xmlText(base + path)}</id>`,
    `  <title>${within === '' ? 'Releases' : `Releases of ${xmlText(within)}`}</title>`,
    `  <updated>${releases[0]?.publishedAt ?? BEGINNING}</updated>`,
    `  <link rel="self" type="application/atom+xml" href="${xmlText(base + path)}"/>`,
    `  <link rel="alternate" type="text/html" href="${xmlText(base + pageOf(within))}"/>`,
    '  <generator>Hookline</generator>',
    ...entries,
    '</feed>',
    '',
  ].join('\n')
}
