import { z } from 'zod'
import { LIMITS } from './limits.ts'
import { Revoked } from './log-entry.ts'
import { Digest } from './names.ts'
import { Revocation, SignedRevocation } from './revocation.ts'
import { Signer } from './signer.ts'

/** What an entry of the log says of a revocation: what is revoked, and the digest of the envelope that says by whom. */
export const RevocationNote = z.strictObject({
  revoked: Revoked,
  envelope: Digest,
  /** The policy under which whoever signed it was found to be nobody who may. */
  ignored: Digest.optional(),
})
export type RevocationNote = z.infer<typeof RevocationNote>

/** What a node keeps of a log that it follows, and may never forget. */
export const KeptLog = z.strictObject({
  /** The log's verifier key; another one in the policy begins anew. */
  key: z.string(),
  epoch: z.int().min(0),
  /** The verifier key under which the log goes on since `epoch`; absent while that is {@link key}. */
  goesOnAs: z.string().optional(),
  /** How many entries that were seen here the last recovery cost, and when that was, in POSIX seconds. */
  recovered: z.strictObject({ lost: z.int().min(0), at: z.int().min(0) }).optional(),
  size: z.int().min(0),
  root: z.base64(),
  /** When the log last said that it had nothing newer, in POSIX seconds; before the first time, when it began to be followed. */
  freshAt: z.int().min(0),
  /** When the node last saw the log with so many entries, in POSIX seconds of its own clock, the earliest first. */
  sightings: z
    .array(z.strictObject({ size: z.int().min(0), at: z.int().min(0) }))
    .max(LIMITS.agent_sightings)
    .default([]),
  /** Leaves that were found in it, `<index>:<hash>`: no later checkpoint can be without them. */
  places: z.array(z.string().max(100)).max(LIMITS.agent_places),
  /** Hashes that the replay goes on from; a log that is not replayed has none. */
  frontier: z.array(z.base64()).max(64),
  /** What the entries replayed say of programs that the policy has rules for, and of files. */
  notes: z.array(RevocationNote).max(LIMITS.agent_revocations),
  /** How many notes there was no room for. */
  leftOut: z.int().min(0).default(0),
  /** Which programs these are; where the policy has rules for others now, the entries are read anew. */
  scope: Digest.optional(),
})
export type KeptLog = z.infer<typeof KeptLog>

/** A revocation that a node once believed: it holds for ever, whatever becomes of who signed it. */
export const BelievedRevocation = z.strictObject({
  ...SignedRevocation.shape,
  digest: Digest,
  revocation: Revocation,
  signer: Signer,
})
export type BelievedRevocation = z.infer<typeof BelievedRevocation>
