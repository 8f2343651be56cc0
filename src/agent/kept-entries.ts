import { verifyOrder } from '../attest/order.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { type FunctionSpec, type Instance, instanceName } from '../domain/function.ts'
import type { EntryRecord, FunctionPart } from '../domain/generation.ts'
import type { Hook } from '../domain/hook.ts'
import { releaseRef } from '../domain/names.ts'
import type { AcceptedOrder, Proven } from '../domain/node.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import { programOf } from '../domain/resolution.ts'
import type { RunningEntry } from '../domain/running.ts'
import { signerText } from '../domain/signer.ts'
import type { AgentState } from '../ports/agent-state.ts'
import { droppedRelease, isDropEntry, redoneDropEntry } from './drop-entry.ts'
import type { ReadyEntry } from './instance.ts'
import { telling, type Vetted } from './kept-vetting.ts'
import type { NodePolicy } from './node-policy.ts'
import { acceptedOperators } from './orders.ts'
import { entriesFrom, type PrepareParts, sourceOf } from './prepare.ts'
import { readableKeys } from './readable-keys.ts'

/** An entry made anew from what was kept, and who vouches for it. */
interface VerifiedEntry extends Pick<RunningEntry, 'signers' | 'logged'> {
  readonly ready: ReadyEntry
}

/** What an agent keeps of orders and releases, to make the entries of its chains again from it. */
export interface KeptEntries {
  /**
   * Verifies an entry as if it were to be built now, by its order, its release and the bytes that are kept, and makes it
   * anew. Throws what an order and a release throw that a node refuses, `digest_mismatch` for bytes that are kept and were
   * changed, `file_unreadable` for such as are not kept, `order_invalid` where the order that it runs by is not kept, and for
   * what drops every packet where no revocation and no order have it do so.
   */
  verify(record: EntryRecord, functions: readonly FunctionPart[], hook: Hook): Promise<VerifiedEntry>
}

/**
 * Reads what an agent keeps of orders and releases; `parts` are those of {@link keptParts}, so that nothing is written and no
 * registry asked. Throws `file_unreadable`.
 */
export async function openKeptEntries(
  parts: PrepareParts,
  policy: NodePolicy,
  state: Pick<AgentState, 'acceptedOrders' | 'desired' | 'proven'>,
): Promise<KeptEntries> {
  const [orders, proven, desired] = [
    await state.acceptedOrders(),
    await state.proven(),
    await state.desired(),
  ]
  const known: Known = {
    ...{ orders, proven },
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
      const instance = instanceOf(spec, record)
      if (!isDropEntry(record)) return verifyRelease(parts, policy, known, record, spec, instance)
      requireDropped(parts, known, record, spec, instance)
      return { ready: redoneDropEntry(record, hook), signers: [], logged: undefined }
    },
  }
}

interface Known {
  readonly orders: readonly AcceptedOrder[]
  readonly proven: readonly Proven[]
  readonly releases: readonly ReleaseDescriptor[]
  readonly keys: ReturnType<typeof readableKeys>
}

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

function instanceOf(spec: FunctionSpec, record: EntryRecord): Instance {
  const instance = spec.instances.find((one) => instanceName(one) === record.instance)
  if (instance !== undefined) return instance
  throw new DomainError('order_invalid', `the order of ${spec.name} has no instance ${record.instance}`)
}

/** Refuses a drop entry that is not what the order has become of a release which this node believes to be revoked. */
function requireDropped(
  { vetting }: PrepareParts,
  known: Known,
  record: EntryRecord,
  spec: FunctionSpec,
  { use }: Instance,
): void {
  const ref = droppedRelease(record)
  const program = programOf(use)
  const version = ref.slice(program.length + 1)
  const { files } = known.releases.find((one) => releaseRef(one.program, one.version) === ref) ?? {
    files: [],
  }
  const revoked =
    ref === releaseRef(program, version) && vetting.revocationOf({ program, version, files }) !== undefined
  if (!revoked || spec.onRevoke !== 'drop')
    throw new DomainError(
      'order_invalid',
      revoked
        ? `${ref} is revoked, and onRevoke of ${spec.name} is ${spec.onRevoke}`
        : `this node knows of no revocation of ${ref}`,
    )
}

/** Verifies a release by any of its descriptions that are kept; the first refusal is the one to tell. */
async function verifyRelease(
  parts: PrepareParts,
  policy: NodePolicy,
  known: Known,
  record: EntryRecord,
  spec: FunctionSpec,
  instance: Instance,
): Promise<VerifiedEntry> {
  const described = known.releases.filter(
    ({ program, version, files }) =>
      releaseRef(program, version) === record.release && files.some(({ digest }) => digest === record.object),
  )
  let refusal: unknown
  for (const descriptor of described)
    try {
      const found: Vetted[] = []
      const vetting = telling(parts.vetting, (vetted) => void found.push(vetted))
      const { entries } = await entriesFrom(
        { ...parts, vetting },
        known.keys,
        spec,
        instance,
        descriptor,
        policy,
      )
      const ready = entries.find(
        (one) => one.record.entry === record.entry && one.record.spec === record.spec,
      )
      if (ready === undefined)
        throw new DomainError(
          'order_invalid',
          `${record.release} under the order of ${spec.name} makes no such entry ${record.entry}`,
        )
      const { signers = [], logged } = found.at(-1) ?? {}
      return { ready, signers: signers.map(signerText), logged }
    } catch (error) {
      refusal ??= error
    }
  throw refusal ?? new DomainError('version_not_found', `nothing is kept of ${record.release}`)
}

/** Why an entry does not verify, as it is reported. */
export function unverified(thrown: unknown): NonNullable<RunningEntry['problem']> {
  const { code, message } = asDomainError(thrown)
  return { code: 'running_unverified', message, cause: code }
}
