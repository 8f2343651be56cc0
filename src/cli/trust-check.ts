import { publicationOf } from '../agent/logged-release.ts'
import type { NodePolicy } from '../agent/node-policy.ts'
import { acceptedOperators } from '../agent/orders.ts'
import { obtainRelease } from '../agent/release-source.ts'
import type { Judge } from '../agent/release-trust.ts'
import { rememberVerdicts } from '../agent/verdicts.ts'
import { verifyOrder } from '../attest/order.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { releaseRef } from '../domain/names.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { readAgentState } from '../store/agent-state.ts'
import type { Context, Outcome } from './io.ts'
import { readAnyPolicy } from './policy-file.ts'
import { policyBy } from './policy-in-force.ts'
import { connect, type RegistryFlags } from './settings.ts'
import { renderTable } from './table.ts'
import { counted } from './terminal.ts'
import { subjectsOfFiles, subjectsOfState, type TrustSubject } from './trust-subjects.ts'

/** Flags of `hookline trust check`. */
export interface TrustCheckFlags extends RegistryFlags {
  readonly file: string
  readonly against?: string | undefined
  /** The trust.yaml that binds a policy of owners; without it, that of `against`. */
  readonly under?: string | undefined
  readonly state?: string | undefined
  readonly function: readonly string[]
}

/** Where the bytes of releases come from, and when they were seen. */
type Sources = Pick<AgentState, 'blob' | 'releaseSeen'> & { readonly registry: Pick<NodeRegistry, 'blob'> }

/**
 * Says what a policy accepts of what a node runs, by its state directory, and of what function files would run; with
 * `against`, what it would refuse that the other one accepts. The checks are the agent's own. The exit code is 3 when
 * something that runs, or that a function file asks for, would be refused, of what the other policy accepts. Throws `usage`, `file_unreadable`,
 * `invalid_policy`, what the registry's answers throw.
 */
export async function checkTrust(flags: TrustCheckFlags, { io }: Context): Promise<Outcome> {
  const { state, file, against } = flags
  if (state === undefined && flags.function.length === 0)
    throw new DomainError('usage', 'say what to check: --state <directory of an agent>, or --function <file>')
  const kept = state === undefined ? undefined : readAgentState(state)
  const under = await bindingFile(flags)
  const policy = await policyBy(file, kept, under)
  const before = against === undefined ? undefined : await policyBy(against, kept, under)
  const client = flags.function.length > 0 || flags.url !== undefined ? await connect(io, flags) : undefined
  const subjects = [
    ...(kept === undefined ? [] : await subjectsOfState(kept)),
    ...(client === undefined ? [] : await subjectsOfFiles(flags.function, client)),
  ]
  const sources: Sources = {
    blob: async (digest) => kept?.blob(digest),
    releaseSeen: async (content, now) => kept?.releaseSeen(content, now) ?? now,
    registry: {
      blob: async (digest, size) => {
        if (client === undefined)
          throw new DomainError(
            'registry_unavailable',
            'its files are not kept here: name the registry by --url',
          )
        return client.blob(digest, size)
      },
    },
  }
  const rows: TrustVerdict[] = []
  for (const subject of subjects) {
    const after = await judge(subject, policy, sources)
    const was = before === undefined ? undefined : await judge(subject, before, sources)
    const counts = before === undefined ? subject.runs || subject.envelope === undefined : was === undefined
    const stops = after !== undefined && counts
    rows.push(verdictOf(subject, after, was, stops))
  }
  const stopping = rows.filter(({ stops }) => stops).length
  return {
    json: { stops: stopping, releases: rows },
    text: [
      rows.length === 0 ? 'nothing runs' : renderVerdicts(io, rows, before !== undefined),
      conclusion(file, against, rows),
    ].join('\n'),
    refused: stopping > 0,
  }
}

/** The trust.yaml that binds a policy of owners: as it is named, else the one that is compared with. Throws `usage`. */
async function bindingFile({ file, against, under }: TrustCheckFlags): Promise<string | undefined> {
  if (under !== undefined && (await readAnyPolicy(file)).kind === 'node')
    throw new DomainError('usage', `--under is for a policy of owners, and ${file} is none`)
  if (under !== undefined || against === undefined) return under
  const found = await readAnyPolicy(against)
  return found.kind === 'node' && found.policy.owners !== undefined ? against : undefined
}

/** One line that fits the table above it: what is refused without being stopped is named, too. */
function conclusion(file: string, against: string | undefined, rows: readonly TrustVerdict[]): string {
  const stopping = rows.filter(({ stops }) => stops).length
  const others = rows.filter(({ code, stops }) => code !== undefined && !stops).length
  if (stopping > 0) {
    const which = against === undefined ? '' : ` that ${against} accepts`
    return `${file} would refuse ${counted(stopping, 'release')}${which}: a node keeps what runs, and builds it no more`
  }
  if (others === 0) return `${file} stops nothing of it`
  return against === undefined
    ? `${file} stops nothing that runs, and refuses ${counted(others, 'release')} that would run next`
    : `${file} refuses nothing that ${against} accepts; both refuse ${counted(others, 'release')}`
}

/** What a policy says of one release. */
interface TrustVerdict {
  readonly function: string
  readonly instance: string
  readonly release: string
  readonly runs: boolean
  readonly stops: boolean
  /** Code of the refusal; undefined: accepted. */
  readonly code: string | undefined
  readonly message: string | undefined
  /** The same by the policy that is compared with. */
  readonly before: string | undefined
}

const verdictOf = (
  { function: name, instance, descriptor, use, runs }: TrustSubject,
  after: DomainError | undefined,
  was: DomainError | undefined,
  stops: boolean,
): TrustVerdict => ({
  ...{ function: name, instance, runs, stops },
  release: descriptor === undefined ? use : releaseRef(descriptor.program, descriptor.version),
  ...{ code: after?.code, message: after?.message, before: was?.code },
})

const renderVerdicts = (io: Context['io'], rows: readonly TrustVerdict[], compared: boolean): string =>
  renderTable(
    io,
    ['function', 'instance', 'release', 'runs', ...(compared ? ['before'] : []), 'verdict', 'why'],
    rows.map(({ function: name, instance, release, runs, before, code, message }) => [
      ...[name, instance, release, runs ? 'yes' : 'no'],
      ...(compared ? [before ?? 'accepted'] : []),
      ...[code ?? 'accepted', message ?? ''],
    ]),
  )

/** Why a policy refuses a release, by the checks that a node makes; undefined when it accepts it. */
async function judge(
  { descriptor, keys, emergency, envelope, publishedAt, use }: TrustSubject,
  policy: NodePolicy,
  { blob, releaseSeen, registry }: Sources,
): Promise<DomainError | undefined> {
  try {
    if (envelope !== undefined) verifyOrder(envelope, acceptedOperators(keys, policy.operators))
    if (descriptor === undefined) throw new DomainError('version_not_found', `no release fits ${use}`)
    const asked: Judge = {
      ...{ policy, keys, verdicts: rememberVerdicts(), state: { releaseSeen }, now: new Date(), emergency },
      // by the entry that the node was told of, where its time is what counts
      vet: async (signers) =>
        policy.log === undefined || descriptor.logged === undefined
          ? publishedAt
          : publicationOf(descriptor, signers).at,
    }
    const fetching = AbortSignal.timeout(LIMITS.agent_fetch_ms)
    await obtainRelease(descriptor, asked, { blob, saveBlob: async () => {} }, registry, fetching)
    return undefined
  } catch (thrown) {
    return asDomainError(thrown)
  }
}
