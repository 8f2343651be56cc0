import { Digest } from '../domain/names.ts'
import type { StoredKey } from '../ports/namespaces.ts'

/** A key's row as the port gives it; keys of operators are valid until they are removed. */
export const storedKey = (row: {
  fingerprint: string
  spki: Uint8Array
  addedAt: Date
  validFrom?: Date | null
  validUntil?: Date | null
}): StoredKey => ({
  fingerprint: Digest.parse(row.fingerprint),
  spki: Buffer.from(row.spki),
  addedAt: row.addedAt,
  validFrom: row.validFrom ?? undefined,
  validUntil: row.validUntil ?? undefined,
})
