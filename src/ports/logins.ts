import type { Actor } from '../domain/account.ts'
import type { LoginAttempt, ProviderPerson } from '../domain/login.ts'

/** The account of somebody who logs in. */
interface LoginAccount {
  readonly id: string
  readonly name: string
}

/** Keeps logins that are under way, and whose accounts are whose. */
export interface Logins {
  /** Keeps an attempt under the hash of its state. */
  begin(state: Buffer, attempt: LoginAttempt, expiresAt: Date): Promise<void>
  /** Gives an attempt and forgets it; undefined when there is none that is still good. */
  take(state: Buffer, now: Date): Promise<LoginAttempt | undefined>
  /**
   * The account of a person; a new one of this name when there is none and `name` is given. Throws `login_unknown`,
   * `account_disabled`, `account_exists`, `name_look_alike`.
   */
  accountOf(person: ProviderPerson, name: string | undefined, by: Actor): Promise<LoginAccount>
  /** Keeps a one-time code by its hash. */
  addCode(hash: Buffer, account: LoginAccount, challenge: string, expiresAt: Date): Promise<void>
  /** Gives what a code is for, once; undefined when it is none that is good. */
  takeCode(hash: Buffer, now: Date): Promise<{ account: LoginAccount; challenge: string } | undefined>
  /** Says that a person's login is this account's. Throws `not_found`, `account_exists` when it is another's. */
  link(account: string, issuer: string, subject: string, by: Actor): Promise<void>
}
