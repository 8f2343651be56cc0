import type { Actor } from '../domain/account.ts'
import type { ProgramId } from '../domain/names.ts'
import type { CiRun, TrustedPublisher, TrustedPublisherView } from '../domain/trusted-publisher.ts'

/** A trusted publisher to keep. */
interface NewTrustedPublisher extends Omit<TrustedPublisher, 'id' | 'repositoryId' | 'ownerId'> {
  /** Name of the program within its namespace. */
  readonly program: string
}

/** An identity token that is used up, and the token that is given for it. */
export interface Exchange {
  readonly program: ProgramId
  readonly run: CiRun
  /** SHA-256 of what makes the identity token unlike any other. */
  readonly digest: Buffer
  /** Until when it is remembered. */
  readonly expiresAt: Date
  readonly token: { readonly hash: Buffer; readonly expiresAt: Date }
}

/** Keeps the pipelines that may publish. Each change is one transaction together with its audit record. */
export interface TrustedPublishers {
  /** Those of a namespace by program. Throws `not_found`. */
  list(namespace: string): Promise<TrustedPublisherView[]>
  /** Throws `not_found`, `publisher_exists`, `too_many`. */
  add(namespace: string, publisher: NewTrustedPublisher, by: Actor): Promise<TrustedPublisherView>
  /** Removes one, and with it its tokens. Throws `not_found`. */
  remove(namespace: string, id: string, by: Actor): Promise<void>
  /**
   * Gives a token for an identity token, once, if one of the program's publishers is the run's; gives the token's id.
   * Throws `id_token_replayed`, `no_trusted_publisher`: nothing is used up then.
   */
  exchange(exchange: Exchange, address: string | undefined): Promise<string>
}
