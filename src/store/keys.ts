import { Digest } from '../domain/names.ts'
import type { StoredKey } from '../ports/namespaces.ts'

/** A key's row as the port gives it. */
export const storedKey = (row: { fingerprint: string; spki: Uint8Array; addedAt: Date }): StoredKey => ({
  fingerprint: Digest.parse(row.fingerprint),
  spki: Buffer.from(row.spki),
  addedAt: row.addedAt,
})
