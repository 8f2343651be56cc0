import { LIMITS } from '../domain/limits.ts'
import type { BlobClaims } from '../ports/blob-claims.ts'
import type { BlobStore } from '../ports/blob-store.ts'
import { takeTurns } from './turns.ts'

/** What removes bytes that nothing names: one in every registry process, each blob by one of them. */
export interface BlobCollector {
  /** Removes one batch; gives how many blobs are gone. Throws the first failure when it did what it could. */
  run(): Promise<number>
  /** Ends: what is under way is waited for. */
  close(): Promise<void>
}

interface BlobCollectorParts {
  readonly blobClaims: Pick<BlobClaims, 'condemn' | 'forget'>
  readonly blobs: Pick<BlobStore, 'remove'>
  readonly report: (error: unknown) => void
}

/**
 * From now on removes bytes that nothing has named for LIMITS.blob_grace_s. They are condemned, their bytes removed, and then
 * they are forgotten, each step on its own: what a crash or a failure of the store leaves is finished by a later run, here or
 * elsewhere. `report` is told of failures.
 */
export function startBlobCollector({ blobClaims, blobs, report }: BlobCollectorParts): BlobCollector {
  const run = async (): Promise<number> => {
    // counted from before they are condemned: afterwards they may be claimed, and nothing may be removed any more
    const end_ms = performance.now() + LIMITS.blob_lease_ms
    const { digests, lease } = await blobClaims.condemn(LIMITS.blob_batch)
    const failures: unknown[] = []
    let removed = 0
    for (const digest of digests) {
      if (turns.closed || performance.now() >= end_ms) break
      try {
        await blobs.remove(digest)
        await blobClaims.forget(digest, lease)
        removed += 1
      } catch (thrown) {
        failures.push(thrown)
      }
    }
    if (failures.length > 0) throw failures[0]
    return removed
  }
  const turns = takeTurns(
    LIMITS.blob_collect_ms,
    async () => {
      let removed: number
      do removed = await run()
      while (removed > 0 && !turns.closed)
    },
    report,
  )
  return { run, close: turns.close }
}
