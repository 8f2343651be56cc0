import { DomainError } from '../domain/errors.ts'
import { parseManifest } from '../domain/manifest.ts'
import { MANIFEST_FILE, parseRef, releaseRef } from '../domain/names.ts'
import { diffPermissions, PERMISSIONS, type Permission } from '../domain/permission.ts'
import { type Change, type ComparedRelease, compareReleases } from '../elf/compare-releases.ts'
import { describeObject } from '../elf/describe.ts'
import { type FetchedRelease, fetchFiles, findRelease } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { connect, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { bytesText, red } from './terminal.ts'

/**
 * Says what is different between two releases of a program: what they can do, maps and what becomes of their content, and all else.
 * Bytes are held to their digests; nobody's signature is checked. Throws `invalid_name`, `usage` for two programs, `not_found`,
 * `version_not_found`, `digest_mismatch`.
 */
export async function diff(
  { from, to, ...flags }: RegistryFlags & { from: string; to: string },
  { io }: Context,
): Promise<Outcome> {
  const [a, b] = [parseRef(from), parseRef(to)]
  if (a.program !== b.program)
    throw new DomainError(
      'usage',
      `${a.program} and ${b.program} are two programs; compare two releases of one`,
    )
  const client = await connect(io, flags)
  const [before, after] = [
    await fetchFiles(client, await findRelease(client, from)),
    await fetchFiles(client, await findRelease(client, to)),
  ]
  const found = compareReleases(compared(before), compared(after))
  const permissions = diffPermissions(before.view.permissions, after.view.permissions)
  const rows = (part: string, changes: readonly Change[]): string[][] =>
    changes.map(({ what, before: was, after: is }) => [part, what, was ?? '-', is ?? '-'])
  const powers = (names: readonly Permission[], [was, is]: readonly [string, string]): string[][] =>
    names.map((name) => ['permission', name, was, is])
  const table = [
    ...powers(permissions.added, ['-', 'needed']),
    ...powers(permissions.removed, ['needed', '-']),
    ...rows('signer', found.signer === undefined ? [] : [found.signer]),
    ...rows('map', found.maps),
    ...rows('config', found.config),
    ...rows('entry', found.entries),
    ...rows('helper', found.helpers),
    ...rows('metric', found.metrics),
    ...rows('manifest', found.fields),
    ...rows('file', found.files),
  ]
  const lost = found.maps.filter(({ content }) => content === 'lost').map(({ what }) => what)
  const names = `${releaseRef(before.view.program, before.view.version)} to ${after.view.version}`
  return {
    json: { from: before.view.version, to: after.view.version, permissions, ...found },
    text: [
      `${names}: ${bytesText(found.size.before)} to ${bytesText(found.size.after)}`,
      ...permissions.added.map((name) => red(io, `it can now ${PERMISSIONS[name].title} (${name})`)),
      ...(lost.length === 0 ? [] : [`the content of ${lost.join(', ')} is not carried over`]),
      '',
      table.length === 0
        ? 'nothing changed but the version'
        : renderTable(io, ['part', 'what', 'before', 'after'], table),
    ].join('\n'),
  }
}

function compared({ view: { signer, files }, files: bytes }: FetchedRelease): ComparedRelease {
  const manifest = parseManifest(bytes.get(MANIFEST_FILE)?.toString('utf8') ?? '')
  const names = [...new Set(manifest.programs.map(({ object }) => object))]
  const objects = names.flatMap((name) => {
    const object = bytes.get(name)
    return object === undefined ? [] : [[name, describeObject(object, name)] as const]
  })
  return { manifest, signer, files, objects: new Map(objects) }
}
