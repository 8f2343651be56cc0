import { join } from 'node:path'
import { LIMITS } from '../domain/limits.ts'
import { type Manifest, parseManifest } from '../domain/manifest.ts'
import { MANIFEST_FILE } from '../domain/names.ts'
import { readLocalFile } from './local-file.ts'

/** Name of the bundle next to a pulled release's files. */
export const BUNDLE_FILE = 'bundle.json'

/** Name of the bundle with its provenance. */
export const PROVENANCE_FILE = 'provenance.json'

/** Names of its bundles: the publisher's, then those of further signers. */
export const bundleFiles = (): string[] => [
  BUNDLE_FILE,
  ...Array.from({ length: LIMITS.release_bundles }, (_, at) => `bundle-${at + 2}.json`),
]

/** A release as it lies in a directory. */
export interface LocalRelease {
  readonly manifest: Manifest
  /** hookline.yaml and the files that it names, by name. */
  readonly files: ReadonlyMap<string, Buffer>
}

/** The source, where it is a file of the release. */
const sourceFile = ({ source }: Manifest): string | undefined =>
  source === undefined || /^https?:/.test(source) ? undefined : source

/** Reads hookline.yaml and what it names: objects, readme, changelog and source. Throws `file_unreadable`, `invalid_manifest`, `too_large`. */
export async function readReleaseDirectory(directory: string): Promise<LocalRelease> {
  const text = await readLocalFile(join(directory, MANIFEST_FILE), LIMITS.manifest_bytes, 'manifest')
  const manifest = parseManifest(text.toString('utf8'))
  const named = [
    ...manifest.programs.map(({ object }) => object),
    ...[manifest.readme, manifest.changelog, sourceFile(manifest)].filter((name) => name !== undefined),
  ]
  const files = new Map([[MANIFEST_FILE, text]])
  for (const name of named)
    if (!files.has(name))
      files.set(name, await readLocalFile(join(directory, name), LIMITS.file_bytes, 'file of the release'))
  return { manifest, files }
}
