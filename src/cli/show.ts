import type { RegistryClient } from '../client/registry-client.ts'
import { DomainError } from '../domain/errors.ts'
import { itemText } from '../domain/list-config.ts'
import { type Manifest, parseManifest } from '../domain/manifest.ts'
import { MANIFEST_FILE, parseRef, releaseRef } from '../domain/names.ts'
import { PERMISSIONS, type Permission } from '../domain/permission.ts'
import type { ReleaseView } from '../domain/release.ts'
import { signerText } from '../domain/signer.ts'
import { fetchFiles, findRelease } from './fetch-release.ts'
import type { Context, Io, Outcome } from './io.ts'
import { connect, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { bold, bytesText, counted, timeText } from './terminal.ts'

/** What became of a release, in few words. */
const standingText = (
  release: Pick<ReleaseView, 'yanked' | 'deprecated' | 'quarantined' | 'revoked'>,
): string =>
  (['revoked', 'quarantined', 'yanked', 'deprecated'] as const)
    .flatMap((mark) => (release[mark] === undefined ? [] : [`${mark}: ${release[mark]}`]))
    .join('; ') || 'offered'

/** What a release can do, in plain words. */
const powersText = (permissions: readonly Permission[]): string =>
  permissions.length === 0
    ? 'let packets pass, and nothing else'
    : permissions.map((name) => `${PERMISSIONS[name].title} (${name})`).join('; ')

/** That it is not for everybody, if so. */
const privateText = (view: Pick<ReleaseView, 'private'>): string | undefined =>
  view.private === true ? 'for members of its namespace only, and for the nodes that run it' : undefined

/**
 * Shows a program's versions, or one release, as the registry describes it, with the configuration that its manifest names.
 * Nothing of it is verified. Throws `invalid_name`, `not_found`, `digest_mismatch`, `registry_answer`, `invalid_manifest`.
 */
export async function show(
  { ref, ...flags }: RegistryFlags & { ref: string },
  { io }: Context,
): Promise<Outcome> {
  const { program, rest } = parseRef(ref)
  const client = await connect(io, flags)
  if (rest === '') {
    const view = await client.program(program)
    const channelsOf = (version: string): string =>
      Object.entries(view.channels)
        .flatMap(([channel, at]) => (at === version ? [channel] : []))
        .join(', ')
    const rows = view.versions.map((release) => [
      ...[release.version, channelsOf(release.version), timeText(release.publishedAt), standingText(release)],
      signerText(release.signer),
    ])
    return {
      json: view,
      text: [
        renderFields([
          ['program', view.program],
          ['summary', view.summary],
          ['private', privateText(view)],
          ['deprecated', view.deprecated],
          ['quarantined', view.quarantined],
        ]),
        '',
        rows.length === 0
          ? 'no releases'
          : renderTable(io, ['version', 'channels', 'published', 'state', 'signer'], rows),
      ].join('\n'),
    }
  }
  const view = await findRelease(client, ref)
  const config = await readConfig(client, view)
  const name = releaseRef(view.program, view.version)
  const files = view.files.map(({ name, size, digest }) => [name, bytesText(size), digest])
  return {
    json: { ...view, config: config ?? [] },
    text: [
      renderFields([
        ['release', name],
        ['summary', view.summary],
        ['private', privateText(view)],
        ['license', view.license],
        ['hooks', view.hooks.join(', ')],
        ['can', powersText(view.permissions)],
        ['revoked', view.revoked],
        ['yanked', view.yanked],
        ['deprecated', view.deprecated],
        ['quarantined', view.quarantined],
        ['published', timeText(view.publishedAt)],
        [
          view.signers.length === 1 ? 'signer' : 'signers',
          `${view.signers.map(signerText).join(', ')} (as the registry says; check with hookline verify)`,
        ],
        ['built by', view.provenance?.builder],
        ['built from', view.provenance?.source],
      ]),
      '',
      renderTable(io, ['file', 'size', 'digest'], files),
      ...(config === undefined
        ? ['the registry gives nobody these files: they are quarantined, or gone']
        : renderConfig(io, config)),
      '',
      bold(io, 'use it in a function'),
      `  instances: [{ use: ${view.program}@^${view.version} }]`,
    ].join('\n'),
  }
}

/**
 * The configuration in the release's hookline.yaml; its bytes have their digest, and nobody checked who wrote them. Undefined when
 * the registry does not give them: members of a namespace see what is quarantined, and nobody gets its bytes.
 */
async function readConfig(
  client: RegistryClient,
  view: ReleaseView,
): Promise<Manifest['config'] | undefined> {
  const manifestOnly = { ...view, files: view.files.filter(({ name }) => name === MANIFEST_FILE) }
  const fetched = await fetchFiles(client, manifestOnly).catch((thrown) => {
    if (thrown instanceof DomainError && thrown.code === 'not_found') return undefined
    throw thrown
  })
  if (fetched === undefined) return undefined
  const text = fetched.files.get(MANIFEST_FILE)?.toString('utf8')
  if (text === undefined)
    throw new DomainError('registry_answer', `the registry lists a release without its ${MANIFEST_FILE}`)
  return parseManifest(text).config
}

function renderConfig(io: Io, config: Manifest['config']): string[] {
  if (config.length === 0) return []
  const rows = config.map((item) =>
    'map' in item
      ? [
          item.name,
          `list of ${itemText(item)}`,
          '',
          counted(item.default?.length ?? 0, 'item'),
          '',
          counted(item.maxItems, 'item'),
          item.help ?? '',
        ]
      : [
          item.name,
          item.type,
          ...[item.unit, item.default, item.min, item.max, item.help].map((part) => String(part ?? '')),
        ],
  )
  const head = ['name', 'type', 'unit', 'default', 'min', 'max', 'help']
  return [
    '',
    bold(io, 'configuration, as its publisher says'),
    renderTable(io, head, rows).replace(/^/gm, '  '),
  ]
}
