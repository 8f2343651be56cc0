import { parseRef, releaseRef } from '../domain/names.ts'
import { findRelease } from './fetch-release.ts'
import type { Context, Outcome } from './io.ts'
import { connect, type RegistryFlags } from './settings.ts'
import { renderFields, renderTable } from './table.ts'
import { bold, bytesText } from './terminal.ts'

/** Shows a program's versions, or one release, as the registry describes it. Throws `invalid_name`, `not_found`. */
export async function show(
  { ref, ...flags }: RegistryFlags & { ref: string },
  { io }: Context,
): Promise<Outcome> {
  const { program, rest } = parseRef(ref)
  const client = await connect(io, flags)
  if (rest === '') {
    const view = await client.program(program)
    const rows = view.versions.map(({ version, publishedAt, signer }) => [version, publishedAt, signer])
    return {
      json: view,
      text: [
        renderFields([
          ['program', view.program],
          ['summary', view.summary],
        ]),
        '',
        renderTable(io, ['version', 'published', 'signer'], rows),
      ].join('\n'),
    }
  }
  const view = await findRelease(client, ref)
  const name = releaseRef(view.program, view.version)
  const files = view.files.map(({ name, size, digest }) => [name, bytesText(size), digest])
  return {
    json: view,
    text: [
      renderFields([
        ['release', name],
        ['summary', view.summary],
        ['license', view.license],
        ['hooks', view.hooks.join(', ')],
        ['published', view.publishedAt],
        ['signer', `${view.signer} (as the registry says; check with hookline verify)`],
      ]),
      '',
      renderTable(io, ['file', 'size', 'digest'], files),
      '',
      bold(io, 'use it in a function'),
      `  instances: [{ use: ${view.program}@^${view.version} }]`,
    ].join('\n'),
  }
}
