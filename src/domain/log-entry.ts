import { z } from 'zod'
import { AccountName } from './account.ts'
import { LIMITS } from './limits.ts'
import { Digest, FileName, Name, ProgramId, Version } from './names.ts'
import { IdentityRule, Signer } from './signer.ts'

/** Of every entry: the version of its form, and when the registry made it, in POSIX seconds. */
const common = { v: z.literal(1), at: z.int().min(0) }
const release = { program: ProgramId, version: Version }
const Change = z.enum(['added', 'removed'])

/** A release became readable, with what it is made of and who signed it. */
const Publish = z.strictObject({
  ...common,
  ...release,
  kind: z.literal('publish'),
  files: z
    .array(z.strictObject({ name: FileName, digest: Digest }))
    .min(1)
    .max(LIMITS.release_files),
  bundle: Digest,
  signers: z.array(Signer).min(1).max(LIMITS.log_entry_signers),
})

/** Somebody else signed a release that was published: `bundle` is the digest of the bytes of his bundle. */
const Cosign = z.strictObject({
  ...common,
  ...release,
  kind: z.literal('cosign'),
  bundle: Digest,
  signer: Signer,
})

const Yank = z.strictObject({ ...common, ...release, kind: z.literal('yank') })
const Unyank = z.strictObject({ ...common, ...release, kind: z.literal('unyank') })
const Delete = z.strictObject({ ...common, ...release, kind: z.literal('delete') })

/** What a revocation is about: one release, or a file wherever it is part of a release. */
export const Revoked = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('release'), ...release }),
  z.strictObject({ kind: z.literal('file'), digest: Digest }),
])
export type Revoked = z.infer<typeof Revoked>

/** Why something was revoked: a closed list, since the log keeps it for ever. */
export const RevocationReason = z.enum(['malicious', 'vulnerable', 'faulty', 'key-compromised', 'other'])
export type RevocationReason = z.infer<typeof RevocationReason>

/** A revocation that was signed outside the registry: `envelope` is the digest of its bytes, which say who and why. */
const Revoke = z.strictObject({
  ...common,
  kind: z.literal('revoke'),
  revoked: Revoked,
  reason: RevocationReason,
  envelope: Digest,
})

/** Who may sign releases of a namespace: a key, or an identity rule. */
const SignerChange = z.strictObject({
  ...common,
  kind: z.literal('signer'),
  namespace: Name,
  signer: z.union([Digest, IdentityRule]),
  change: Change,
})

/** Who owns a namespace. */
const OwnerChange = z.strictObject({
  ...common,
  kind: z.literal('owner'),
  namespace: Name,
  account: AccountName,
  change: Change,
})

/** Whose orders the registry takes: the fingerprint of an operator's key. */
const OperatorChange = z.strictObject({
  ...common,
  kind: z.literal('operator'),
  operator: Digest,
  change: Change,
})

/** First entry of a log that goes on from another: `recovery` is the digest of the statement that says so. */
const Epoch = z.strictObject({
  ...common,
  kind: z.literal('epoch'),
  epoch: z.int().min(1),
  recovery: Digest,
})

/** An entry about a private program, of which only who is given it learns anything. */
const Private = z.strictObject({ ...common, kind: z.literal('private'), commitment: Digest })

/** One change of the catalog, as the log keeps it for ever. It has no text that somebody wrote freely: a log cannot forget. */
export const LogEntry = z.discriminatedUnion('kind', [
  Publish,
  Cosign,
  Yank,
  Unyank,
  Delete,
  Revoke,
  SignerChange,
  OwnerChange,
  OperatorChange,
  Epoch,
  Private,
])
export type LogEntry = z.infer<typeof LogEntry>

/** The kinds that this version knows. */
const KINDS: ReadonlySet<string> = new Set(LogEntry.options.map(({ shape }) => shape.kind.value))

/** Whether this version knows what an entry's fields mean: it knows its kind, in this form. */
export const isKnownEntry = (head: { readonly v?: unknown; readonly kind?: unknown }): boolean =>
  head.v === 1 && typeof head.kind === 'string' && KINDS.has(head.kind)

/** What entries of all times have, those of later versions too. */
export const EntryHead = z.looseObject({
  v: z.int().min(1),
  kind: z.string().regex(/^[a-z][a-z0-9-]{0,38}$/),
  at: z.int().min(0),
})
export type EntryHead = z.infer<typeof EntryHead>
