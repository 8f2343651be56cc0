import { z } from 'zod'
import { Scope } from './account.ts'
import { DomainError } from './errors.ts'
import { LabelKey, Labels } from './function.ts'
import { LIMITS } from './limits.ts'
import { NamePattern } from './name-pattern.ts'
import { isPlainLine, NOT_PLAIN } from './shown-text.ts'

/** Request for a token: at most what the caller's own token may do; one for oneself ends with it, however long was asked for. */
export const TokenRequest = z.strictObject({
  scopes: z.array(Scope).min(1).max(16),
  programs: z.array(NamePattern).min(1).max(LIMITS.token_patterns).default(['*']),
  note: z.string().max(200).refine(isPlainLine, NOT_PLAIN).default(''),
  ttl_s: z.int().min(LIMITS.token_ttl_min_s).max(LIMITS.token_ttl_s).default(LIMITS.token_ttl_default_s),
})
export type TokenRequest = z.infer<typeof TokenRequest>

/** A new token; the only time that its secret is shown. */
export const NewToken = z.strictObject({
  id: z.string(),
  secret: z.string(),
  expiresAt: z.iso.datetime(),
})
export type NewToken = z.infer<typeof NewToken>

/** A token as its owner sees it later. `lastUsedAt` is true to the hour. */
export const TokenView = z.strictObject({
  id: z.string(),
  scopes: z.array(Scope),
  programs: z.array(NamePattern),
  note: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  lastUsedAt: z.iso.datetime().optional(),
})
export type TokenView = z.infer<typeof TokenView>

/** The tokens of an account that still are good, the newest first. */
export const TokenList = z.strictObject({ tokens: z.array(TokenView) })

/**
 * Which labels nodes may have that join by a token. Orders are given by labels, and a node reads what its orders name: one that
 * chose its labels freely would read what is private to others.
 */
export const JoinLabels = z.strictObject({
  labels: Labels.default({}),
  /** Keys of labels whose value the node chooses; `*`: any. */
  freeLabels: z
    .array(z.union([LabelKey, z.literal('*')]))
    .max(LIMITS.labels)
    .default([]),
})
export type JoinLabels = z.infer<typeof JoinLabels>

/** Refuses labels of a node that its join token does not allow; it may have fewer. Throws `label_not_allowed`. */
export function requireJoinLabels({ labels, freeLabels }: JoinLabels, asked: Labels): void {
  for (const [key, value] of Object.entries(asked)) {
    if (
      Object.hasOwn(labels, key)
        ? labels[key] === value
        : freeLabels.some((free) => free === '*' || free === key)
    )
      continue
    throw new DomainError('label_not_allowed', `the join token does not allow the label ${key}=${value}`)
  }
}

/** Request for a join token, by default for one node. */
export const JoinTokenRequest = z.strictObject({
  ttl_s: z.int().min(LIMITS.token_ttl_min_s).max(LIMITS.join_token_ttl_s).default(LIMITS.join_token_ttl_s),
  maxUses: z.int().min(1).max(LIMITS.join_token_uses).default(1),
  ...JoinLabels.shape,
})
export type JoinTokenRequest = z.infer<typeof JoinTokenRequest>

/** A new join token; the only time that its secret is shown. */
export const NewJoinToken = z.strictObject({
  id: z.string(),
  secret: z.string(),
  expiresAt: z.iso.datetime(),
})
export type NewJoinToken = z.infer<typeof NewJoinToken>

/** A join token as operators see it later. Of who made it the audit has the name; of an old one nobody knows. */
export const JoinTokenView = z.strictObject({
  id: z.string(),
  ...JoinLabels.shape,
  maxUses: z.int(),
  /** Nodes that joined by it. */
  uses: z.int(),
  createdBy: z.string().optional(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
})
export type JoinTokenView = z.infer<typeof JoinTokenView>

/** Join tokens by which nodes still can join, the newest first. */
export const JoinTokenList = z.strictObject({ joinTokens: z.array(JoinTokenView) })
