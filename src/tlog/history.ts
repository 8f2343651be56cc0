import { LIMITS } from '../domain/limits.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import { type Digest, releaseRef } from '../domain/names.ts'
import { concerns } from '../domain/revocation.ts'
import { type SignerRule, signerText } from '../domain/signer.ts'
import { hides, type OpaqueEntry, parseEntry } from './entry.ts'
import { entryTime } from './entry-text.ts'

type Publication = Extract<LogEntry, { kind: 'publish' }>
type Revocation = Extract<LogEntry, { kind: 'revoke' }>

/** Something that holds since an entry of the log. */
interface Since<T> {
  readonly value: T
  readonly index: number
}

/** What the log says of a release that was published openly. */
export interface LoggedRelease {
  readonly publication: Publication
  /** Of the publication. */
  readonly index: number
  /** Digests of the bundles of further signers. */
  readonly cosigned: readonly Since<Digest>[]
  readonly yanked: Since<boolean>
  readonly deleted: Since<boolean>
}

/** Who may do something, by what they are called, each since which entry; `changed` is the last entry about any of them. */
export interface LoggedSet {
  readonly members: ReadonlyMap<string, number>
  readonly changed: number
}

/** What all entries of a log come to. */
export interface LogHistory {
  /** By namespace/name@version. */
  readonly releases: ReadonlyMap<string, LoggedRelease>
  /** By namespace: signers as {@link signerText} has them, and accounts. */
  readonly signers: ReadonlyMap<string, LoggedSet>
  readonly owners: ReadonlyMap<string, LoggedSet>
  readonly operators: LoggedSet
  readonly revocations: readonly Since<Revocation>[]
  /** Entries about private programs, by index. */
  readonly hidden: ReadonlyMap<number, Extract<LogEntry, { kind: 'private' }>>
  /** How many others were opened. */
  readonly opened: number
  /** What is said of entries that hide something else, or nothing. */
  readonly misopened: readonly Since<string>[]
  /** Entries of kinds that this version does not know. */
  readonly unknown: number
  /** What entries say that others before them rule out. */
  readonly contradictions: readonly Since<string>[]
  /** Entries that say to be older than one before them, beyond LIMITS.log_entry_skew_s: made to look older than they are. */
  readonly backdated: readonly Since<string>[]
  /** The latest time of any entry, in POSIX seconds; 0 for none. */
  readonly newest: Since<number>
  /** Takes entries in their order, as they stand in the log. Throws `log_entry_invalid`. */
  take(entries: readonly Buffer[], index: number): void
}

const NOBODY: LoggedSet = { members: new Map(), changed: -1 }

/** What a hidden entry is said to stand for. */
export interface Opening {
  readonly entry: Buffer
  readonly salt: Buffer
}

/**
 * The history of a log of which nothing was read yet. Entries that `openings` open, by index, count as what they hide, in their
 * place.
 */
export function emptyHistory(openings: ReadonlyMap<number, Opening> = new Map()): LogHistory {
  const releases = new Map<string, LoggedRelease>()
  const [signers, owners] = [new Map<string, LoggedSet>(), new Map<string, LoggedSet>()]
  const revocations: Since<Revocation>[] = []
  const hidden = new Map<number, Extract<LogEntry, { kind: 'private' }>>()
  const contradictions: Since<string>[] = []
  const backdated: Since<string>[] = []
  let newest: Since<number> = { value: 0, index: -1 }
  const misopened: Since<string>[] = []
  let [operators, unknown, opened] = [NOBODY, 0, 0]
  const changeOf = (
    of: Map<string, LoggedSet>,
    namespace: string,
    name: string,
    entry: Changed,
    at: number,
  ) => of.set(namespace, changed(of.get(namespace) ?? NOBODY, name, entry, at))
  /** What became of a release; one that was published in private has only its publication to be known by. */
  const became = (ref: string, change: Partial<LoggedRelease>): void => {
    const known = releases.get(ref)
    if (known !== undefined) releases.set(ref, { ...known, ...change })
  }
  const takeOne = (entry: LogEntry | OpaqueEntry, index: number): void => {
    switch (entry.kind) {
      case 'publish': {
        const ref = releaseRef(entry.program, entry.version)
        // a release never changes, and the version of one that was deleted stays taken
        if (releases.has(ref)) contradictions.push({ value: `${ref} was published twice`, index })
        const not = { value: false, index }
        releases.set(ref, { publication: entry, index, cosigned: [], yanked: not, deleted: not })
        return
      }
      case 'cosign': {
        const ref = releaseRef(entry.program, entry.version)
        const cosigned = releases.get(ref)?.cosigned ?? []
        became(ref, { cosigned: [...cosigned, { value: entry.bundle, index }] })
        return
      }
      case 'yank':
      case 'unyank':
        became(releaseRef(entry.program, entry.version), { yanked: { value: entry.kind === 'yank', index } })
        return
      case 'delete':
        became(releaseRef(entry.program, entry.version), { deleted: { value: true, index } })
        return
      case 'revoke':
        revocations.push({ value: entry, index })
        return
      case 'signer':
        changeOf(signers, entry.namespace, ruleText(entry.signer), entry, index)
        return
      case 'owner':
        changeOf(owners, entry.namespace, entry.account, entry, index)
        return
      case 'operator':
        operators = changed(operators, entry.operator, entry, index)
        return
      case 'private':
        hidden.set(index, entry)
        return
      case 'epoch':
        return
      case 'opaque':
        unknown += 1
    }
  }
  const takeTime = (at: number, index: number): void => {
    if (at + LIMITS.log_entry_skew_s < newest.value)
      backdated.push({ value: `it is of ${at}, entry ${newest.index} before it of ${newest.value}`, index })
    if (at > newest.value) newest = { value: at, index }
  }
  return {
    ...{ releases, signers, owners, revocations, hidden, contradictions, backdated, misopened },
    get newest() {
      return newest
    },
    get operators() {
      return operators
    },
    get opened() {
      return opened
    },
    get unknown() {
      return unknown
    },
    take: (entries, index) => {
      for (const [at, bytes] of entries.entries()) {
        const entry = parseEntry(bytes)
        takeTime(entryTime(entry), index + at)
        const opening = openings.get(index + at)
        const shown = opening === undefined ? undefined : tryOpen(entry, opening)
        if (shown !== undefined) opened += 1
        else if (opening !== undefined)
          misopened.push({ value: 'it hides something else than is shown', index: index + at })
        takeOne(shown ?? entry, index + at)
      }
    },
  }
}

/** What an entry hides; undefined where that is not what is shown. */
function tryOpen(logged: LogEntry | OpaqueEntry, { entry, salt }: Opening): LogEntry | undefined {
  try {
    const shown = parseEntry(entry)
    return shown.kind !== 'opaque' && hides(logged, shown, salt) ? shown : undefined
  } catch {
    return undefined
  }
}

type Changed = { readonly change: 'added' | 'removed' }

function changed({ members }: LoggedSet, name: string, { change }: Changed, index: number): LoggedSet {
  const after = new Map(members)
  if (change === 'added') after.set(name, index)
  else after.delete(name)
  return { members: after, changed: index }
}

/** A signer of a namespace as text: the same for the same key or identity. */
export const ruleText = (rule: SignerRule): string => signerText(rule)

/** The first entry by which a release is revoked: itself, or, since it was published, one of its files; undefined for none. */
export function revokedBy(
  { revocations }: LogHistory,
  { publication, index }: LoggedRelease,
): number | undefined {
  return revocations.find(
    ({ value: { revoked }, index: at }) =>
      concerns(revoked, publication) && (revoked.kind === 'release' || at > index),
  )?.index
}
