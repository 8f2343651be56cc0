import type {
  AccountChange,
  AccountPage,
  AccountRequest,
  AccountRights,
  AccountView,
  Actor,
  Scope,
} from '../domain/account.ts'
import type { NamePattern } from '../domain/name-pattern.ts'
import type { TokenView } from '../domain/token.ts'

/** A token as it is kept, with what its account may do; `hash` is the SHA-256 of its secret. */
interface StoredToken {
  readonly id: string
  readonly hash: Buffer
  readonly account: AccountRights
  readonly disabled: boolean
  readonly scopes: readonly Scope[]
  readonly programs: readonly NamePattern[]
  readonly expiresAt: Date
  readonly revoked: boolean
  readonly lastUsedAt: Date | undefined
}

/** A token to keep. */
export interface NewStoredToken {
  readonly hash: Buffer
  /** Name of the account that it is for. */
  readonly account: string
  readonly scopes: readonly Scope[]
  readonly programs: readonly NamePattern[]
  readonly note: string
  readonly expiresAt: Date
}

/** Keeps accounts and what proves who asks. Secrets themselves are never kept. */
export interface Accounts {
  /** Throws `account_exists`, `name_look_alike`. */
  add(request: AccountRequest, by: Actor): Promise<AccountView>
  /**
   * Makes the first account and its token, unless there is an account: then it does nothing and answers false. Of two
   * registries that start at once only one does it.
   */
  addFirst(request: AccountRequest, token: Omit<NewStoredToken, 'account'>): Promise<boolean>
  /** Up to `limit` accounts by name, those behind `after`. */
  page(after: string | undefined, limit: number): Promise<AccountPage>
  /** Throws `not_found`. */
  account(name: string): Promise<AccountView>
  /** Throws `not_found`, and `last_admin` when nobody would be left. */
  change(name: string, change: AccountChange, by: Actor): Promise<AccountView>
  /** The token with this hash, whether or not it is still good. */
  findToken(hash: Buffer): Promise<StoredToken | undefined>
  /** Notes that a token was used. */
  touchToken(id: string, now: Date): Promise<void>
  /** Keeps a token and gives its id. Throws `not_found` for the account, `too_many` tokens of one account. */
  addToken(token: NewStoredToken, by: Actor): Promise<string>
  /** The tokens of an account that are good at `now`, the newest first. */
  tokens(account: string, now: Date): Promise<TokenView[]>
  /** Ends a token of this account for good. Throws `not_found`. */
  revokeToken(account: string, id: string, by: Actor): Promise<void>
}
