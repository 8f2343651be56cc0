import type { Actor } from '../domain/account.ts'
import type { Manifest } from '../domain/manifest.ts'
import type { NamePattern } from '../domain/name-pattern.ts'
import type { Digest, ProgramId } from '../domain/names.ts'
import type { PermissionFinding } from '../domain/permission.ts'
import type {
  BuildFacts,
  ProgramPage,
  ProgramView,
  ReleaseFile,
  ReleaseView,
  Visibility,
} from '../domain/release.ts'
import type { FoundProgram } from '../domain/search.ts'
import type { Signer } from '../domain/signer.ts'

/** Which private programs a request may read, as patterns; those that are public are for everybody. */
export type Readable = readonly NamePattern[]

/** A checked signature over a release: Sigstore bundle, JSON text. */
export interface SignedBundle {
  readonly bundle: string
  readonly signer: Signer
}

/** A checked release, its files claimed and in the blob store. */
export interface NewRelease {
  readonly manifest: Manifest
  readonly files: readonly ReleaseFile[]
  /** Sigstore bundle, JSON text. */
  readonly bundle: string
  readonly signer: Signer
  /** Where its bytecode needs which permission. */
  readonly findings: readonly PermissionFinding[]
  /** Signatures of others over the same files. */
  readonly bundles: readonly SignedBundle[]
  /** Where it was built, and the Sigstore bundle that says so. */
  readonly provenance: { readonly bundle: string; readonly facts: BuildFacts } | undefined
  /** Text of its README; empty when it has none. */
  readonly readme: string
  /** Who may read the program, if this is its first release; later ones change nothing of that. */
  readonly visibility: Visibility
}

/** A release that has a file. */
interface Holder {
  readonly digest: Digest
  readonly program: ProgramId
  readonly version: string
}

/** A release that everybody may read, in a line. */
export interface NewestRelease {
  readonly program: ProgramId
  readonly version: string
  readonly publishedAt: string
  readonly summary: string
  readonly yanked: string | undefined
}

/** What may be said about a release or a program, see the standing of {@link ReleaseView}. */
export type Mark = 'yanked' | 'deprecated' | 'quarantined' | 'revoked'

/** A program with what its pages show beyond its view. */
export interface ProgramDetails {
  readonly view: ProgramView
  /** The version that it is shown by; undefined when it has no release any more. */
  readonly latest: string | undefined
  readonly visibility: Visibility
  /** Whether its namespace proved whose it is. */
  readonly verified: boolean
  readonly downloads: number
  /** Downloads by version. */
  readonly downloadsOf: ReadonlyMap<string, number>
  /** When a mark of a version, or without one of the program, was set; undefined where nobody wrote it down. */
  readonly markedAt: (mark: Mark, version?: string) => string | undefined
}

/** A release with its manifest. */
export interface ReleaseDetails {
  readonly release: ReleaseView
  readonly findings: readonly PermissionFinding[]
  readonly manifest: Manifest
}

/** Programs of a list; `locked` names those that are not for everybody, `next` is the last when there are more. */
export interface ListedPrograms {
  readonly programs: readonly FoundProgram[]
  readonly locked: ReadonlySet<ProgramId>
  readonly total: number
  readonly next: ProgramId | undefined
}

/** How a program stands, for those who look after it. */
export interface ProgramStanding {
  readonly program: ProgramId
  /** Its newest version; empty when all were deleted. */
  readonly latest: string
  readonly summary: string
  readonly visibility: Visibility
  readonly downloads: number
  readonly updatedAt: string
  readonly deprecated: string | undefined
  readonly quarantined: string | undefined
}

/** A blob that may be read. */
interface ReadableBlob {
  readonly size: number
  /** Whether everybody may read it. */
  readonly open: boolean
  /** The release whose downloads are counted by it; undefined for a file that comes along. */
  readonly countedFor: string | undefined
}

/** Keeps programs and their releases. Each change is one transaction together with its audit record. */
export interface Catalog {
  /** The versions of a program that is there, whoever may read it; undefined for a new one. */
  versions(program: ProgramId): Promise<string[] | undefined>
  /**
   * Makes a release visible, all at once, and records a step of each function whose ranges it changes.
   * Throws `release_exists`, `name_look_alike`, `not_found` for the namespace, `blob_being_removed` for files that are not claimed.
   */
  addRelease(release: NewRelease, by: Actor): Promise<ReleaseView>
  /** Releases that may be read and have one of these files, the oldest of each first. */
  holders(digests: readonly Digest[], readable: Readable): Promise<Holder[]>
  /** The newest public releases, of all, of a namespace or of a program. */
  newest(within: string | undefined, limit: number): Promise<NewestRelease[]>
  /** Addresses of public programs, those changed latest first. */
  addresses(limit: number): Promise<{ program: ProgramId; updatedAt: string }[]>
  /** Up to `limit` programs by name, those behind `after`. */
  programs(after: string | undefined, limit: number, readable: Readable): Promise<ProgramPage>
  /** Up to `limit` programs that `within` names, the one that changed last first. */
  standings(within: Readable, limit: number): Promise<ProgramStanding[]>
  /** Throws `not_found`, for a program that may not be read as for one that is not there. */
  program(program: ProgramId, readable: Readable): Promise<ProgramView>
  /** Throws `not_found` likewise, `version_not_found`. */
  release(program: ProgramId, version: string, readable: Readable): Promise<ReleaseView>
  /** Likewise, with what pages show. */
  programDetails(program: ProgramId, readable: Readable): Promise<ProgramDetails>
  /** Likewise, with its manifest. */
  releaseDetails(program: ProgramId, version: string, readable: Readable): Promise<ReleaseDetails>
  /** Up to `limit` programs of a namespace by name, those behind `after`. */
  programsOf(
    namespace: string,
    page: { readonly after: ProgramId | undefined; readonly limit: number },
    readable: Readable,
  ): Promise<ListedPrograms>
  /** The bundle with a release's provenance, undefined where it has none. Throws likewise. */
  provenance(program: ProgramId, version: string, readable: Readable): Promise<string | undefined>
  /** Adds a signature; one of a signer who has signed it changes nothing. Throws `version_not_found`, `too_many`. */
  addBundle(program: ProgramId, version: string, signed: SignedBundle, by: Actor): Promise<void>
  /** A blob that a release which may be read names; undefined for any other. */
  readableBlob(digest: Digest, readable: Readable): Promise<ReadableBlob | undefined>
  /** Says who may read a program from now on. Throws `not_found`. */
  setVisibility(program: ProgramId, visibility: Visibility, by: Actor): Promise<void>
}
