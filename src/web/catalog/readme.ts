import { LIMITS } from '../../domain/limits.ts'
import type { ReleaseFile } from '../../domain/release.ts'
import type { BlobStore } from '../../ports/blob-store.ts'
import { blobBytes } from '../../registry/release-bytes.ts'
import { remembering } from '../../registry/remember.ts'
import type { Html } from '../html.ts'
import { renderReadme } from '../markdown.ts'

/** A README as markup; `cut`: only its beginning. */
interface Readme {
  readonly text: Html
  readonly cut: boolean
}

/** Reads READMEs out of a store of blobs; markup is kept by digest, that used last. Undefined where the store has no bytes. */
export function readmes(blobs: BlobStore): (file: ReleaseFile) => Promise<Readme | undefined> {
  const remember = remembering<Readme | undefined>({ values: LIMITS.readmes_kept })
  return ({ digest, size }) =>
    remember(digest, async () => {
      const most = LIMITS.readme_shown_bytes
      const bytes =
        size === 0
          ? Buffer.alloc(0)
          : await blobBytes(blobs, digest, { start: 0, end: Math.min(size, most) - 1 })
      if (bytes === undefined) return undefined
      const text = bytes.toString('utf8')
      if (size <= most) return { text: renderReadme(text), cut: false }
      // whole lines: the last one may end within a character
      return { text: renderReadme(text.slice(0, text.lastIndexOf('\n') + 1)), cut: true }
    })
}
