import { sha256Digest } from '../attest/keys.ts'
import { verifyOrder } from '../attest/order.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { type FunctionSpec, instanceName } from '../domain/function.ts'
import type { EntryRecord, FunctionPart } from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import type { BelievedRevocation, KeptLog, RevocationNote } from '../domain/kept-log.ts'
import { type Digest, releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Proven } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { concerns } from '../domain/revocation.ts'
import type { RunningEntry } from '../domain/running.ts'
import { type Signer, signerText } from '../domain/signer.ts'
import type { AgentState } from '../ports/agent-state.ts'
import { formatNoteKey } from '../tlog/note-key.ts'
import { isDropEntry, redoneDropEntry } from './drop-entry.ts'
import type { ReadyEntry } from './instance.ts'
import { type LogTrust, logTrust } from './log-trust.ts'
import { publicationOf } from './logged-release.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators } from './orders.ts'
import { entriesFrom, type PrepareParts, sourceOf } from './prepare.ts'
import { readableKeys } from './readable-keys.ts'
import { judgedUnder } from './revocation-notes.ts'
import { withheldProblem } from './revocations.ts'
import type { Vetting } from './vetting.ts'

/** What a node that is offline has to verify its entries by. */
export interface KeptEntriesParts
  extends Pick<PrepareParts, 'kernelRelease' | 'kernelBtf' | 'arch' | 'clock' | 'verdicts'> {
  readonly state: Pick<
    AgentState,
    'acceptedOrders' | 'desired' | 'proven' | 'log' | 'revocations' | 'blob' | 'releaseSeen'
  >
  readonly policy: NodePolicy
}

/** An entry made anew from what was kept, and who vouches for it. */
interface VerifiedEntry extends Pick<RunningEntry, 'signers' | 'logged'> {
  readonly ready: ReadyEntry
}

/** What an agent keeps of orders and releases, to make the entries of its chains again from it. */
export interface KeptEntries {
  /**
   * Verifies an entry as if it were to be built now, by its order, its release and the bytes that are kept, and makes it
   * anew. Throws what an order and a release throw that a node refuses, `digest_mismatch` for bytes that are kept and were
   * changed, `file_unreadable` for such as are not kept, `order_invalid` where the order that it runs by is not kept.
   */
  verify(record: EntryRecord, functions: readonly FunctionPart[], hook: Hook): Promise<VerifiedEntry>
}

/** Reads what an agent keeps; nothing is written, and no registry is asked. Throws `file_unreadable`, `invalid_policy`. */
export async function openKeptEntries(parts: KeptEntriesParts): Promise<KeptEntries> {
  const { state, policy } = parts
  const [orders, proven, desired] = [
    await state.acceptedOrders(),
    await state.proven(),
    await state.desired(),
  ]
  const trust = logTrust(policy)
  const known: Known = {
    ...{ orders, proven, trust, catalog: await state.log('catalog') },
    notes: trust === undefined ? [] : openNotes(await state.log('revocations'), trust, policy),
    revocations: await state.revocations(),
    releases: [
      ...proven,
      ...proven.flatMap(({ before }) => before ?? []),
      ...(desired ? [desired] : []),
    ].flatMap(({ releases }) => releases),
    keys: [
      ...proven.flatMap((one) => [...sourceOf(one).keys, ...sourceOf(one.before ?? one).keys]),
      ...readableKeys(desired?.keys ?? []),
    ],
  }
  return {
    verify: async (record, functions, hook) => {
      const spec = orderOf(record, functions, known, policy)
      if (isDropEntry(record)) return { ready: redoneDropEntry(record, hook), signers: [], logged: undefined }
      return verifyRelease(parts, known, record, spec)
    },
  }
}

interface Known {
  readonly orders: readonly AcceptedOrder[]
  readonly proven: readonly Proven[]
  readonly releases: readonly ReleaseDescriptor[]
  readonly keys: ReturnType<typeof readableKeys>
  readonly revocations: readonly BelievedRevocation[]
  readonly trust: LogTrust | undefined
  readonly catalog: KeptLog | undefined
  /** What the log notes as revoked, of which it is not known that it was nobody who may. */
  readonly notes: readonly RevocationNote[]
}

const openNotes = (log: KeptLog | undefined, trust: LogTrust, policy: NodePolicy): RevocationNote[] =>
  log?.key === formatNoteKey(trust.keys.revocations)
    ? log.notes.filter(({ ignored }) => ignored !== judgedUnder(policy))
    : []

/** The order that an entry's function runs by, verified. */
function orderOf(
  record: EntryRecord,
  functions: readonly FunctionPart[],
  { orders, proven }: Known,
  { operators }: NodePolicy,
): FunctionSpec {
  const revision = functions.find(({ name }) => name === record.function)?.revision
  const kept = [
    ...orders.filter(({ name }) => name === record.function),
    ...proven.filter((one) => one.function === record.function),
  ]
  let refusal: unknown
  for (const { envelope, operatorKey } of kept)
    try {
      const { order } = verifyOrder(envelope, acceptedOperators(readableKeys([operatorKey]), operators))
      if (order.kind === 'apply' && order.revision === revision && order.function.name === record.function)
        return order.function
    } catch (error) {
      refusal ??= error
    }
  if (refusal !== undefined) throw refusal
  throw new DomainError('order_invalid', `order ${revision} of ${record.function} is not kept`)
}

/** Verifies a release by any of its descriptions that are kept; the first refusal is the one to tell. */
async function verifyRelease(
  parts: KeptEntriesParts,
  known: Known,
  record: EntryRecord,
  spec: FunctionSpec,
): Promise<VerifiedEntry> {
  const instance = spec.instances.find((one) => instanceName(one) === record.instance)
  if (instance === undefined)
    throw new DomainError('order_invalid', `the order of ${spec.name} has no instance ${record.instance}`)
  const described = known.releases.filter(
    ({ program, version, files }) =>
      releaseRef(program, version) === record.release && files.some(({ digest }) => digest === record.object),
  )
  let refusal: unknown
  for (const descriptor of described)
    try {
      const found: Found = { signers: [], logged: undefined }
      const { entries } = await entriesFrom(
        { ...parts, ...offline(parts.state), vetting: vettingOf(known, found) },
        known.keys,
        spec,
        instance,
        descriptor,
        parts.policy,
      )
      const ready = entries.find(
        (one) => one.record.entry === record.entry && one.record.spec === record.spec,
      )
      if (ready === undefined)
        throw new DomainError(
          'order_invalid',
          `${record.release} under the order of ${spec.name} makes no such entry ${record.entry}`,
        )
      return { ready, signers: found.signers.map(signerText), logged: found.logged }
    } catch (error) {
      refusal ??= error
    }
  throw refusal ?? new DomainError('version_not_found', `nothing is kept of ${record.release}`)
}

/** What vetting a release found out. */
interface Found {
  signers: readonly Signer[]
  logged: RunningEntry['logged']
}

/** Vets by what this node believes and has found in the log. */
function vettingOf({ revocations, notes, trust, catalog }: Known, found: Found): Vetting {
  const revocationOf: Vetting['revocationOf'] = (release) => {
    const believed = revocations.find(({ revocation }) => concerns(revocation.revoked, release))
    if (believed === undefined) return undefined
    const { reason, message } = believed.revocation
    return new DomainError('release_revoked', `it is revoked (${reason}): ${message}`)
  }
  return {
    revocationOf,
    revokedVersions: () => [],
    isRevoked: () => false, // asked of chains, never of releases
    requireSoundLog: async () => {}, // what is kept went back nowhere
    requireAllowed: async (release, signers) => {
      found.signers = signers
      const revoked = revocationOf(release)
      if (revoked !== undefined) throw revoked
      const noted = notes.find((note) => concerns(note.revoked, release))
      if (noted !== undefined) throw withheldProblem(noted.revoked)
      if (trust === undefined) return undefined
      const { index, place, at } = publicationOf(release, signers)
      const same = catalog?.key === formatNoteKey(trust.keys.catalog)
      if (!same || !catalog.places.includes(place))
        throw new DomainError(
          'not_logged',
          `this node has not found entry ${index} of the log to be its publication`,
        )
      found.logged = { index, at: at.toISOString() }
      return at
    },
  }
}

/** Bytes come from what is kept, and from nowhere else. */
function offline({ blob, releaseSeen }: KeptEntriesParts['state']) {
  const missing = async (digest: Digest): Promise<never> => {
    const kept = await blob(digest)
    if (kept === undefined) throw new DomainError('file_unreadable', `no file is kept under ${digest}`)
    throw new DomainError('digest_mismatch', `the file kept under ${digest} is ${sha256Digest(kept)}`)
  }
  return {
    state: { blob, releaseSeen, saveBlob: async () => {} },
    registry: { blob: missing },
    signal: new AbortController().signal,
  }
}

/** Why an entry does not verify, as it is reported. */
export function unverified(thrown: unknown): NonNullable<RunningEntry['problem']> {
  const { code, message } = asDomainError(thrown)
  return { code: 'running_unverified', message, cause: code }
}
