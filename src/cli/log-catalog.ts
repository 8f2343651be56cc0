import { sha256Digest } from '../attest/keys.ts'
import type { LogClient } from '../client/log-client.ts'
import type { RegistryClient } from '../client/registry-client.ts'
import { asDomainError, DomainError, type ErrorCode } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import { type Digest, type ProgramId, releaseRef } from '../domain/names.ts'
import type { ProgramView, ReleaseView } from '../domain/release.ts'
import { signerText } from '../domain/signer.ts'
import { hides, parseEntry } from '../tlog/entry.ts'
import { type LoggedRelease, type LoggedSet, type LogHistory, revokedBy, ruleText } from '../tlog/history.ts'
import { requirePublication } from '../tlog/publication.ts'
import type { Finding } from './log-audit.ts'
import { patiently } from './patiently.ts'

/** A release as the catalog shows it, with what a program's page says of it. */
interface ShownRelease {
  readonly view: Pick<ReleaseView, 'program' | 'version' | 'files' | 'signer'> & { readonly bundle: Digest }
  /** Of the bundles of further signers. */
  readonly cosigned: readonly Digest[]
  readonly yanked: boolean
  readonly revoked: boolean
}

/** The public catalog at one time, as far as it is compared with its log. */
export interface ShownCatalog {
  readonly releases: readonly ShownRelease[]
  /** By namespace. */
  readonly signers: ReadonlyMap<string, ReadonlySet<string>>
  /** Those of namespaces whose members the caller may see. */
  readonly owners: ReadonlyMap<string, ReadonlySet<string>>
  /** Undefined for who may not see them. */
  readonly operators: ReadonlySet<string> | undefined
  readonly programs: number
}

/** Reads all of the public catalog; `onProgram` is told how many programs were read. Throws what the client does. */
export async function readCatalog(
  client: RegistryClient,
  onProgram: (done: number) => void,
): Promise<ShownCatalog> {
  const names = await readNames(client)
  let done = 0
  const releases = await inParallel(names, async (program) => {
    const shown = await readReleases(client, program)
    done += 1
    onProgram(done)
    return shown
  })
  const namespaces = [...new Set(names.map((name) => name.split('/')[0] ?? ''))]
  const signers = await inParallel(namespaces, async (namespace): Promise<[string, Set<string>]> => {
    const keys = await patiently(() => client.keys(namespace))
    const identities = await patiently(() => client.identities(namespace))
    const rules = identities.map(({ identity, issuer }) => ruleText({ identity, issuer }))
    return [namespace, new Set([...keys.map(({ fingerprint }) => fingerprint), ...rules])]
  })
  const owners = await inParallel(
    namespaces,
    async (namespace): Promise<[string, Set<string>] | undefined> => {
      const members = await ifAllowed(() => client.members(namespace))
      const owning = members?.filter(({ role, invited }) => role === 'owner' && !invited)
      return owning && [namespace, new Set(owning.map(({ account }) => account))]
    },
  )
  const operators = await ifAllowed(() => client.operatorKeys())
  return {
    releases: releases.flat(),
    signers: new Map(signers),
    owners: new Map(owners.filter((one) => one !== undefined)),
    operators: operators && new Set(operators.map(({ fingerprint }) => fingerprint)),
    programs: names.length,
  }
}

/** The names of all programs that may be read. Throws what the client does. */
export async function readNames(client: RegistryClient): Promise<ProgramId[]> {
  const names: ProgramId[] = []
  let cursor: string | undefined
  do {
    const page = await patiently(() => client.programs({ cursor, limit: LIMITS.page_items }))
    names.push(...page.programs.map(({ program }) => program))
    cursor = page.next
  } while (cursor !== undefined)
  return names
}

async function readReleases(client: RegistryClient, program: ProgramId): Promise<ShownRelease[]> {
  const view = await unlessGone(() => client.program(program))
  const shown: ShownRelease[] = []
  for (const { version, yanked, revoked } of view?.versions ?? ([] as ProgramView['versions'])) {
    const release = await unlessGone(() => client.release(program, version))
    if (release === undefined) continue
    const { files, signer, bundle, bundles } = release
    const digest = sha256Digest(Buffer.from(bundle))
    shown.push({
      view: { program, version, files, signer, bundle: digest },
      cosigned: bundles.map((one) => sha256Digest(Buffer.from(one))),
      yanked: yanked !== undefined,
      revoked: revoked !== undefined,
    })
  }
  return shown
}

/** What a catalog shows that its log does not say. `before`: size of the log when the catalog was begun to be read. */
export async function compareCatalog(
  catalog: ShownCatalog,
  history: LogHistory,
  before: number,
  logs: Pick<LogClient, 'releaseProof'>,
): Promise<{ findings: Finding[]; opened: number }> {
  const findings: Finding[] = history.contradictions.map(({ value, index }) => ({
    ...{ code: 'log_release_differs' as const, subject: `entry ${index}`, detail: value },
  }))
  for (const { value, index } of history.misopened)
    findings.push({ code: 'log_unlogged', subject: `entry ${index}`, detail: value })
  let { opened } = history
  const found = (code: ErrorCode, subject: string, detail: string): void => {
    findings.push({ code, subject, detail })
  }
  for (const shown of catalog.releases) {
    const ref = releaseRef(shown.view.program, shown.view.version)
    const logged = history.releases.get(ref)
    try {
      if (logged === undefined) {
        await requireHidden(shown, history, logs)
        opened += 1
      } else {
        requireLogged(shown, logged, before)
        requireRevoked(shown, revokedBy(history, logged), before)
      }
    } catch (thrown) {
      const { code, message } = asDomainError(thrown)
      if (code === 'internal' || code === 'registry_unavailable') throw thrown
      found(code, ref, message)
    }
  }
  const compareSets = (
    what: string,
    shown: ReadonlyMap<string, ReadonlySet<string>>,
    logged: ReadonlyMap<string, LoggedSet>,
  ) => {
    for (const [namespace, names] of shown) {
      const difference = differenceOf(names, logged.get(namespace), before)
      if (difference !== undefined) found('log_signers_differ', namespace, `${what}: ${difference}`)
    }
  }
  compareSets('signers', catalog.signers, history.signers)
  compareSets('owners', catalog.owners, history.owners)
  const operators = catalog.operators && differenceOf(catalog.operators, history.operators, before)
  if (operators !== undefined) found('log_signers_differ', 'operators', operators)
  return { findings, opened }
}

/** Throws `log_release_differs`, `log_standing_differs`. What the log says since `before` the catalog may not have shown yet. */
function requireLogged(
  { view, cosigned, yanked }: ShownRelease,
  logged: LoggedRelease,
  before: number,
): void {
  requirePublication(logged.publication, view)
  requireCosigned(cosigned, logged.cosigned, before)
  if (!logged.publication.signers.some((signer) => signerText(signer) === signerText(view.signer)))
    throw new DomainError(
      'log_release_differs',
      `it is shown as signed by ${signerText(view.signer)}, which was not logged`,
    )
  if (logged.deleted.value && logged.deleted.index < before)
    throw new DomainError(
      'log_standing_differs',
      `the log says that it was deleted (entry ${logged.deleted.index})`,
    )
  if (logged.yanked.value !== yanked && logged.yanked.index < before)
    throw new DomainError(
      'log_standing_differs',
      yanked
        ? 'it is shown as yanked, which was not logged'
        : `it is not shown as yanked, the log says it is (entry ${logged.yanked.index})`,
    )
}

/** Throws `log_release_differs` for further signatures that are shown and not logged, or logged and not shown. */
function requireCosigned(shown: readonly Digest[], logged: LoggedRelease['cosigned'], before: number): void {
  const unlogged = shown.find((digest) => !logged.some(({ value }) => value === digest))
  if (unlogged !== undefined)
    throw new DomainError('log_release_differs', `its further bundle ${unlogged} was not logged`)
  const hidden = logged.find(({ value, index }) => index < before && !shown.includes(value))
  if (hidden !== undefined)
    throw new DomainError(
      'log_release_differs',
      `its further bundle ${hidden.value} is not shown, the log has it (entry ${hidden.index})`,
    )
}

/** Throws `log_standing_differs` when a release is shown as revoked other than the log says, `since` which entry. */
function requireRevoked({ revoked }: ShownRelease, since: number | undefined, before: number): void {
  if (revoked && since === undefined)
    throw new DomainError('log_standing_differs', 'it is shown as revoked, which was not logged')
  if (!revoked && since !== undefined && since < before)
    throw new DomainError(
      'log_standing_differs',
      `it is not shown as revoked, the log says it is (entry ${since})`,
    )
}

/**
 * A release that was published while its program was private is in the log as a commitment, which the registry opens for
 * everybody once the program is public. Throws `log_unlogged`, `log_release_differs`.
 */
async function requireHidden(
  { view }: ShownRelease,
  history: LogHistory,
  logs: Pick<LogClient, 'releaseProof'>,
): Promise<void> {
  const unlogged = (why: string): DomainError => new DomainError('log_unlogged', why)
  const place = await patiently(() => logs.releaseProof(view.program, view.version)).catch(
    (thrown: unknown) => {
      if (asDomainError(thrown).kind === 'not_found')
        throw unlogged('the log has no entry of its publication')
      throw thrown
    },
  )
  const logged = history.hidden.get(place.index)
  if (logged === undefined || place.hidden === undefined || place.salt === undefined)
    throw unlogged(`entry ${place.index} is not its publication`)
  const entry = parseEntry(Buffer.from(place.hidden))
  if (entry.kind === 'opaque' || !hides(logged, entry, Buffer.from(place.salt, 'base64')))
    throw unlogged(`entry ${place.index} hides something else`)
  requirePublication(entry, view)
}

/** Who is shown and not logged, or logged and not shown; undefined when it is the same, or may have changed meanwhile. */
function differenceOf(
  shown: ReadonlySet<string>,
  logged: LoggedSet | undefined,
  before: number,
): string | undefined {
  const names = new Set(logged?.members.keys())
  const [more, less] = [
    [...shown].filter((name) => !names.has(name)),
    [...names].filter((name) => !shown.has(name)),
  ]
  if ((more.length === 0 && less.length === 0) || (logged !== undefined && logged.changed >= before))
    return undefined
  const parts = [
    more.length > 0 && `${more.join(', ')} shown and not logged`,
    less.length > 0 && `${less.join(', ')} logged and not shown`,
  ]
  return parts.filter((part) => part !== false).join('; ')
}

/** Undefined for what went away since it was listed. */
const unlessGone = <T>(work: () => Promise<T>): Promise<T | undefined> =>
  patiently(work).catch((thrown: unknown) => {
    if (['not_found', 'version_not_found'].includes(asDomainError(thrown).code)) return undefined
    throw thrown
  })

/** Undefined for what the caller may not see. */
const ifAllowed = <T>(work: () => Promise<T>): Promise<T | undefined> =>
  patiently(work).catch((thrown: unknown) => {
    if (['unauthenticated', 'forbidden', 'scope_missing', 'not_found'].includes(asDomainError(thrown).code))
      return undefined
    throw thrown
  })

/** Does work for each item, some at a time; results in their order. */
async function inParallel<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  await Promise.all(
    Array.from({ length: LIMITS.audit_requests }, async () => {
      for (let at = next++; at < items.length; at = next++) {
        const item = items[at]
        if (item !== undefined) results[at] = await work(item)
      }
    }),
  )
  return results
}
