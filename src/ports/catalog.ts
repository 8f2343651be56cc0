import type { Actor } from '../domain/access.ts'
import type { Manifest } from '../domain/manifest.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { ProgramPage, ProgramView, ReleaseFile, ReleaseView } from '../domain/release.ts'

/** A public key as it is kept: SPKI DER. */
export interface StoredKey {
  readonly fingerprint: Digest
  readonly spki: Buffer
  readonly addedAt: Date
}

/** A checked release, its files already in the blob store. */
export interface NewRelease {
  readonly manifest: Manifest
  readonly files: readonly ReleaseFile[]
  /** Sigstore bundle, JSON text. */
  readonly bundle: string
  readonly signer: Digest
}

/** Keeps namespaces, their keys, and releases. Each change is one transaction together with its audit record. */
export interface Catalog {
  /** Throws `namespace_exists`. */
  addNamespace(name: string, by: Actor): Promise<void>
  /** The keys that may sign for a namespace, by fingerprint. Throws `not_found`. */
  namespaceKeys(namespace: string): Promise<StoredKey[]>
  /** Adds a key, or gives the one that is there. Throws `not_found`. */
  addNamespaceKey(
    namespace: string,
    key: { fingerprint: Digest; spki: Buffer },
    by: Actor,
  ): Promise<StoredKey>
  releaseExists(program: ProgramId, version: string): Promise<boolean>
  /**
   * Makes a release visible, all at once, and records a step of each function whose ranges it changes.
   * Throws `release_exists`, `not_found` for the namespace.
   */
  addRelease(release: NewRelease, by: Actor): Promise<ReleaseView>
  /** Up to `limit` programs by name, those behind `after`. */
  programs(after: string | undefined, limit: number): Promise<ProgramPage>
  /** Throws `not_found`. */
  program(program: ProgramId): Promise<ProgramView>
  /** Throws `not_found`, `version_not_found`. */
  release(program: ProgramId, version: string): Promise<ReleaseView>
  /** Bytes of a blob that a visible release names; undefined for any other. */
  visibleBlob(digest: Digest): Promise<number | undefined>
}
