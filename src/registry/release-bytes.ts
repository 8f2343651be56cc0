import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { Digest } from '../domain/names.ts'
import type { ReleaseFile } from '../domain/release.ts'
import { describeObject, type ObjectReport } from '../elf/describe.ts'
import type { BlobStore, ByteRange } from '../ports/blob-store.ts'
import { remembering } from './remember.ts'

/** The bytes of a blob, or of a part of it; undefined when the store has none. */
export async function blobBytes(
  blobs: BlobStore,
  digest: Digest,
  range?: ByteRange,
): Promise<Buffer | undefined> {
  try {
    const parts: Buffer[] = []
    for await (const part of await blobs.open(digest, range)) parts.push(part)
    return Buffer.concat(parts)
  } catch (thrown) {
    if (thrown instanceof DomainError && thrown.code === 'not_found') return undefined
    throw thrown
  }
}

/** What can be told of an object of a release: a report, or why there is none. */
export type ObjectFinding =
  | { readonly report: ObjectReport }
  | { readonly missing: true }
  | { readonly unreadable: string }

/** Tells what an object of a release holds. Reports are kept by digest, those used last. */
export type Describe = (file: ReleaseFile) => Promise<ObjectFinding>

/** Describes objects out of a store of blobs. */
export function describing(blobs: BlobStore): Describe {
  const remember = remembering<{ found: ObjectFinding; bytes: number }>(
    { values: LIMITS.object_reports, weight: LIMITS.object_report_bytes },
    ({ bytes }) => bytes,
  )
  return async ({ name, digest, size }) => {
    // one that is not there may come yet, so that this is not remembered
    const made = await remember(digest, async () => {
      const bytes = await blobBytes(blobs, digest)
      if (bytes === undefined) throw new DomainError('not_found', `there is no blob ${digest}`)
      return { found: findingOf(bytes, name), bytes: size }
    }).catch((thrown: unknown) => {
      if (thrown instanceof DomainError && thrown.code === 'not_found') return undefined
      throw thrown
    })
    return made?.found ?? { missing: true }
  }
}

function findingOf(bytes: Buffer, name: string): ObjectFinding {
  try {
    return { report: describeObject(bytes, name) }
  } catch (thrown) {
    if (thrown instanceof DomainError) return { unreadable: thrown.message }
    throw thrown
  }
}
