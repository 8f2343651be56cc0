import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { parseManifest } from '../domain/manifest.ts'
import { FileName, MANIFEST_FILE } from '../domain/names.ts'
import { describeObject } from '../elf/describe.ts'
import { draftManifest } from '../elf/draft-manifest.ts'
import type { Outcome } from './io.ts'
import { readLocalFile, writeNewFile } from './local-file.ts'
import { counted } from './terminal.ts'

/**
 * Drafts hookline.yaml next to the objects of a new program. An existing one is not overwritten. Throws `file_exists`,
 * `file_unreadable`, `invalid_name`, `usage`, and what the object reader finds.
 */
export async function init({
  objects,
  namespace,
}: {
  objects: readonly string[]
  namespace: string
}): Promise<Outcome> {
  const [directory = '.', ...others] = [...new Set(objects.map((path) => dirname(path)))]
  if (others.length > 0)
    throw new DomainError('usage', 'the objects of a release lie in one directory, next to its hookline.yaml')
  const path = join(directory, MANIFEST_FILE)
  if (existsSync(path)) throw new DomainError('file_exists', `${path} exists and is not overwritten`)
  const reports = []
  for (const object of objects) {
    const name = FileName.safeParse(basename(object))
    if (!name.success)
      throw new DomainError(
        'invalid_name',
        `${object} cannot be a file of a release: ${name.error.issues[0]?.message}`,
      )
    reports.push(describeObject(await readLocalFile(object, LIMITS.file_bytes, 'object'), name.data))
  }
  const text = draftManifest(reports, { namespace })
  const manifest = parseManifest(text)
  await writeNewFile(path, text)
  return {
    json: { path, name: manifest.name, version: manifest.version },
    text: [
      `${path} drafts ${manifest.name}@${manifest.version}: ${counted(manifest.programs.length, 'program')}, ${counted(manifest.maps.length, 'map')}, ${counted(manifest.config.length, 'configuration value')}`,
      `next: go through its comments, then hookline publish ${directory} --dry-run`,
      `a namespace is made once: hookline namespace create ${namespace}, and hookline key add <key.pub.pem> --namespace ${namespace}`,
    ].join('\n'),
  }
}
