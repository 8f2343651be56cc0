import type { Actor, Grant } from '../domain/access.ts'

/** A token as it is kept; `hash` is the SHA-256 of its secret. */
interface StoredToken {
  readonly id: string
  readonly hash: Buffer
  readonly grant: Grant
  readonly expiresAt: Date | undefined
}

/** Keeps what proves who asks. Secrets themselves are never kept. */
export interface Tokens {
  /** Whether any token was ever made; none means that the registry is new. */
  any(): Promise<boolean>
  /** Keeps a token and gives its id. */
  add(
    token: { hash: Buffer; grant: Grant; note: string; expiresAt: Date | undefined },
    by: Actor,
  ): Promise<string>
  /** The token with this hash, expired or not. */
  find(hash: Buffer): Promise<StoredToken | undefined>
  /** Keeps a join token that lets `maxUses` nodes in. */
  addJoinToken(token: { hash: Buffer; maxUses: number; expiresAt: Date }, by: Actor): Promise<void>
}
