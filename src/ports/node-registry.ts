import type { PrivateKey } from '../attest/keys.ts'
import type { LogName } from '../domain/log.ts'
import type { Digest } from '../domain/names.ts'
import type { Desired, Enrolment, Observed } from '../domain/node.ts'
import type { SignedRevocation } from '../domain/revocation.ts'

/** Where a node replaces its key. */
export interface KeyChanger {
  /**
   * Replaces the node's key by `next` (Ed25519), which is to be kept before: offers it, proves it, and signs with it from then on.
   * When it throws, the registry takes either or only `next`; the same call again ends that.
   * Throws `registry_unavailable`, `node_unauthenticated`.
   */
  changeKey(next: PrivateKey): Promise<void>
}

/** The registry as a node sees it. Nothing that it answers is trusted. */
export interface NodeRegistry {
  /**
   * Joins; gives the node's id. A node that joins anew does so by the key that it brings, and signs as what it was until it is let in.
   * Throws `join_token_refused`, `label_not_allowed`, `node_exists`, `registry_unavailable`.
   */
  enrol(enrolment: Enrolment, by?: PrivateKey): Promise<{ id: string }>
  /**
   * The desired state, or undefined when it still has the tag `etag` after at most `wait_s` seconds.
   * Throws `registry_unavailable`, `registry_answer`, `node_unauthenticated`.
   */
  desired(
    etag: string | undefined,
    wait_s: number,
    signal: AbortSignal,
  ): Promise<{ etag: string; desired: Desired } | undefined>
  /** The bytes of a file, at most `maxBytes`; the caller checks the digest. Throws `not_found`, `too_large`, `registry_unavailable`. */
  blob(digest: Digest, maxBytes: number, signal: AbortSignal): Promise<Buffer>
  /** A checkpoint, tile or bundle of a log, by its path there; the caller checks it. Throws `not_found`, `too_large`, `registry_unavailable`. */
  logFile(log: LogName, path: string, maxBytes: number, signal: AbortSignal): Promise<Buffer>
  /** The revocation whose envelope has this digest, which the caller checks. Throws `not_found`, `registry_answer`, `registry_unavailable`. */
  revocation(digest: Digest, signal: AbortSignal): Promise<SignedRevocation>
  /** Sends a report. Throws `registry_unavailable`, `node_unauthenticated`. */
  report(observed: Observed): Promise<void>
}
