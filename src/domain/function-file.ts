import { DomainError } from './errors.ts'
import type { Manifest } from './manifest.ts'

/** A YAML 1.2 plain scalar that is no word of its own must not be quoted; these would be no text. */
const WORDS: ReadonlySet<string> = new Set(['null', 'true', 'false'])
const keyText = (name: string): string => (WORDS.has(name) ? JSON.stringify(name) : name)

/** What stands behind `#` up to the end of the line: a publisher's text must not begin another one. */
const comment = (text: string | undefined): string =>
  text === undefined || text.trim() === ''
    ? ''
    : `  # ${text.replace(/[^\p{L}\p{N}\p{P}\p{S}]+/gu, ' ').trim()}`

/**
 * A function file to begin with that uses a release: with `configured`, each value of its configuration as its default is.
 * {@link parseFunction} reads it. Throws `invalid_manifest` for a manifest whose version is no version.
 */
export function functionFile(manifest: Manifest, configured: boolean): string {
  const [, name] = manifest.name.split('/')
  if (name === undefined) throw new DomainError('invalid_manifest', `${manifest.name} is no program's name`)
  const config = configured ? manifest.config.flatMap(configLines) : []
  return [
    'kind: function',
    `name: ${keyText(name)}`,
    'selector: { role: edge }',
    'interfaces: [eth1]',
    'instances:',
    `  - use: ${manifest.name}@^${manifest.version}`,
    ...(config.length === 0 ? [] : ['    config:', ...config.map((line) => `      ${line}`)]),
    '',
  ].join('\n')
}

// what JSON writes, YAML reads alike; text of digits stays text by its quotes
function configLines(item: Manifest['config'][number]): string[] {
  const name = keyText(item.name)
  if (!('map' in item)) return [`${name}: ${JSON.stringify(item.default)}${comment(item.unit)}`]
  const items = item.default ?? []
  if (items.length === 0) return [`${name}: []`]
  return [`${name}:`, ...items.map((values) => `  - ${JSON.stringify(values)}`)]
}
