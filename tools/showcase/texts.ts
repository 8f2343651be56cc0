import { itemText } from '../../src/domain/list-config.ts'
import { listConfig, type Manifest, scalarConfig } from '../../src/domain/manifest.ts'
import { compareVersions } from '../../src/domain/names.ts'
import type { ShowcaseProgram, TemplateProgram } from './catalog.ts'

/** The README of a made-up program: its own words, then what its manifest says, as publishers write it. */
export function readmeOf({ name, readme, hook }: TemplateProgram, manifest: Manifest): string {
  const scalars = scalarConfig(manifest)
  const lists = listConfig(manifest)
  const parts = [`# ${name}`, `${manifest.summary}.`, readme.trim()]
  if (scalars.length + lists.length > 0)
    parts.push(
      '## Configuration',
      table(
        ['name', 'default', ''],
        [
          ...lists.map(({ name, help = '', ...list }) => [
            `\`${name}\``,
            list.default === undefined ? 'empty' : `${list.default.length} items`,
            `${help}. Items: \`${itemText({ name, ...list }).replaceAll('|', '\\|')}\``,
          ]),
          ...scalars.map(({ name, unit, help = '', ...item }) => [
            `\`${name}\``,
            `${item.default}${unit === undefined ? '' : ` ${unit}`}`,
            help,
          ]),
        ],
      ),
    )
  if (manifest.metrics.length > 0)
    parts.push(
      '## Metrics',
      table(
        ['name', 'counts'],
        manifest.metrics.map(({ name, help = '' }) => [`\`${name}\``, help]),
      ),
    )
  parts.push(
    '## In a function',
    ['```yaml', 'instances:', `  - { use: ${manifest.name}@^${manifest.version} }`, '```'].join('\n'),
    hook === 'xdp'
      ? 'Runs in the driver where the driver can, and has the packet first.'
      : 'Runs where TC runs, behind the driver, with all that the kernel knows of the packet.',
  )
  return `${parts.join('\n\n')}\n`
}

/** What changed up to a version, the newest first. */
export function changelogOf({ versions }: ShowcaseProgram, upTo: string): string {
  const told = versions
    .filter(({ version }) => compareVersions(version, upTo) <= 0)
    .sort((a, b) => compareVersions(b.version, a.version))
  return `# Changes\n\n${told.map(({ version, changes }) => `## ${version}\n\n- ${changes}\n`).join('\n')}`
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')
