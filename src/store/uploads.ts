import { DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { Digest } from '../domain/names.ts'
import type { StagedFile } from '../domain/upload.ts'
import type { Uploads } from '../ports/uploads.ts'
import { type Database, lockOne } from './database.ts'
import type { StagedFile as Row } from './generated/client.ts'

const viewOf = ({ digest, size, expiresAt }: Row): StagedFile => ({
  ...{ digest: Digest.parse(digest), size, expiresAt: expiresAt.toISOString() },
})

/** Files that were sent ahead, in the database; their bytes are in the blob store. */
export function databaseUploads({ prisma, transact }: Database): Uploads {
  return {
    list: async (holder, now) => {
      const rows = await prisma.stagedFile.findMany({ where: { holder, expiresAt: { gt: now } } })
      return rows.map(viewOf)
    },
    add: (holder, digest, size, now, expiresAt) =>
      transact(async (transaction) => {
        await lockOne(transaction, holder)
        await transaction.stagedFile.deleteMany({ where: { expiresAt: { lt: now } } })
        const row = await transaction.stagedFile.upsert({
          where: { holder_digest: { holder, digest } },
          create: { holder, digest, size, expiresAt },
          update: { expiresAt },
        })
        const { _sum } = await transaction.stagedFile.aggregate({ where: { holder }, _sum: { size: true } })
        if ((_sum.size ?? 0) > LIMITS.staged_bytes)
          throw new DomainError(
            'quota_exceeded',
            `files that were sent ahead have ${_sum.size} bytes, at most ${LIMITS.staged_bytes}`,
          )
        return viewOf(row)
      }),
    forget: async (holder, digests) => {
      await prisma.stagedFile.deleteMany({ where: { holder, digest: { in: [...digests] } } })
    },
  }
}
