import { z } from 'zod'
import { LIMITS } from './limits.ts'

/**
 * The logs of a registry: all changes of the catalog, and, once more by themselves, revocations, which are so few that
 * every node reads them all.
 */
export const LogName = z.enum(['catalog', 'revocations'])
export type LogName = z.infer<typeof LogName>

/** A log as it is shown: keys are verifier keys, which have their names in them (C2SP signed-note). */
export const LogView = z.strictObject({
  log: LogName,
  key: z.string(),
  /** How often it was begun anew after a loss. */
  epoch: z.int().min(0),
  size: z.int().min(0),
  root: z.base64(),
  /** When the log last said that it has nothing newer. */
  signedAt: z.iso.datetime(),
  /** The witnesses that are asked, and when each last signed the newest checkpoint. */
  witnesses: z.array(z.strictObject({ key: z.string(), signedAt: z.iso.datetime().optional() })),
})
export type LogView = z.infer<typeof LogView>

/** All logs. */
export const LogList = z.strictObject({ logs: z.array(LogView) })

/** The signed statements by which both logs of a registry are begun anew. */
export const LogRecoveryUpload = z.strictObject({
  catalog: z.string().max(LIMITS.note_bytes),
  revocations: z.string().max(LIMITS.note_bytes),
})
export type LogRecoveryUpload = z.infer<typeof LogRecoveryUpload>

/** The text of an entry as the log holds it: canonical JSON. */
const EntryText = z.string().max(LIMITS.log_entry_bytes)

/** An entry with its place. */
export const PlacedEntryView = z.strictObject({ index: z.int().min(0), entry: EntryText })
export type PlacedEntryView = z.infer<typeof PlacedEntryView>

/**
 * Where a release's publication stands in the log of the catalog. For a private program `entry` is a commitment, to
 * `hidden` with `salt`: who is given them can check it.
 */
export const LogPlace = z.strictObject({
  ...PlacedEntryView.shape,
  hidden: EntryText.optional(),
  salt: z.base64().optional(),
})
export type LogPlace = z.infer<typeof LogPlace>

/** What hidden entries stand for, in their order. */
export const LogOpenings = z.strictObject({
  openings: z.array(z.strictObject({ index: z.int().min(0), hidden: EntryText, salt: z.base64() })),
})
export type LogOpening = z.infer<typeof LogOpenings>['openings'][number]

/** A place in the log with the proof that it is part of what a checkpoint signs: hashes of the audit path, from the leaf up (RFC 9162 section 2.1.3). */
export const LogProof = z.strictObject({
  ...LogPlace.shape,
  checkpoint: z.string().max(LIMITS.note_bytes),
  hashes: z.array(z.base64()).max(LIMITS.log_proof_hashes),
})
export type LogProof = z.infer<typeof LogProof>

/** An entry's place in words. The bytes are UTF-8. */
export const logPlace = ({
  index,
  data,
  hidden,
  salt,
}: {
  readonly index: number
  readonly data: Uint8Array
  readonly hidden: Uint8Array | null | undefined
  readonly salt: Uint8Array | null | undefined
}): LogPlace => ({
  ...{ index, entry: Buffer.from(data).toString('utf8') },
  ...(hidden == null || salt == null
    ? {}
    : { hidden: Buffer.from(hidden).toString('utf8'), salt: Buffer.from(salt).toString('base64') }),
})
