import { LIMITS } from '../domain/limits.ts'
import type { LogEntry } from '../domain/log-entry.ts'
import { releaseRef } from '../domain/names.ts'
import { concerns } from '../domain/revocation.ts'
import { type SignerRule, signerText } from '../domain/signer.ts'
import { type OpaqueEntry, parseEntry } from './entry.ts'

type Publication = Extract<LogEntry, { kind: 'publish' }>
type Revocation = Extract<LogEntry, { kind: 'revoke' }>

/** Something that holds since an entry of the log. */
interface Since<T> {
  readonly value: T
  readonly index: number
}

/** An entry that those before it rule out, and how. */
interface Contradiction extends Since<string> {
  readonly code: 'log_release_differs' | 'log_backdated'
}

/** What the log says of a release that was published openly. */
export interface LoggedRelease {
  readonly publication: Publication
  /** Of the publication. */
  readonly index: number
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
  /** Entries of kinds that this version does not know. */
  readonly unknown: number
  /** What entries say that others before them rule out. */
  readonly contradictions: readonly Contradiction[]
  /** Takes entries in their order, as they stand in the log. Throws `log_entry_invalid`. */
  take(entries: readonly Buffer[], index: number): void
}

const NOBODY: LoggedSet = { members: new Map(), changed: -1 }

/** The history of a log of which nothing was read yet. */
export function emptyHistory(): LogHistory {
  const releases = new Map<string, LoggedRelease>()
  const [signers, owners] = [new Map<string, LoggedSet>(), new Map<string, LoggedSet>()]
  const revocations: Since<Revocation>[] = []
  const hidden = new Map<number, Extract<LogEntry, { kind: 'private' }>>()
  const contradictions: Contradiction[] = []
  const contradict = (code: Contradiction['code'], value: string, index: number): void =>
    void contradictions.push({ code, value, index })
  let [operators, unknown] = [NOBODY, 0]
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
  let latest = { at: 0, index: -1 }
  /** Entries are made in the order of the log: one of long before those in front of it was backdated. */
  const requireOrder = (entry: LogEntry | OpaqueEntry, index: number): void => {
    if (entry.kind === 'opaque') return
    if (entry.at < latest.at - LIMITS.log_skew_s)
      contradict(
        'log_backdated',
        `it is dated ${latest.at - entry.at} s before entry ${latest.index}, which came before it`,
        index,
      )
    if (entry.at > latest.at) latest = { at: entry.at, index }
  }
  const takeOne = (entry: LogEntry | OpaqueEntry, index: number): void => {
    requireOrder(entry, index)
    switch (entry.kind) {
      case 'publish': {
        const ref = releaseRef(entry.program, entry.version)
        // a release never changes, and the version of one that was deleted stays taken
        if (releases.has(ref)) contradict('log_release_differs', `${ref} was published twice`, index)
        const not = { value: false, index }
        releases.set(ref, { publication: entry, index, yanked: not, deleted: not })
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
  return {
    ...{ releases, signers, owners, revocations, hidden, contradictions },
    get operators() {
      return operators
    },
    get unknown() {
      return unknown
    },
    take: (entries, index) => {
      for (const [at, entry] of entries.entries()) takeOne(parseEntry(entry), index + at)
    },
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
