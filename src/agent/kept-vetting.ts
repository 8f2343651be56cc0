import { sha256Digest } from '../attest/keys.ts'
import { DomainError } from '../domain/errors.ts'
import type { KeptLog, RevocationNote } from '../domain/kept-log.ts'
import type { Digest } from '../domain/names.ts'
import { concerns } from '../domain/revocation.ts'
import type { AgentState } from '../ports/agent-state.ts'
import { formatNoteKey } from '../tlog/note-key.ts'
import type { LogFollower } from './log-follower.ts'
import { absentUntil } from './log-sightings.ts'
import { type LogTrust, logTrust } from './log-trust.ts'
import { publicationOf } from './logged-release.ts'
import type { NodePolicy } from './node-policy.ts'
import type { PrepareParts } from './prepare.ts'
import { judgedUnder } from './revocation-notes.ts'
import { versionsRevoked, withheldProblem } from './revocations.ts'
import { type Vetting, vettingBy } from './vetting.ts'

/** What a node that is offline has to verify releases by. */
export interface KeptParts
  extends Pick<PrepareParts, 'kernelRelease' | 'kernelBtf' | 'arch' | 'clock' | 'verdicts'> {
  readonly state: Pick<AgentState, 'log' | 'revocations' | 'blob' | 'releaseSeen'>
  readonly policy: NodePolicy
}

/**
 * What functions are prepared with from what was kept, and from nowhere else: nothing is fetched or written. Releases are
 * vetted by what this node believes and has found in the log. Throws `file_unreadable`, `invalid_policy`.
 */
export async function keptParts({ state, policy, ...parts }: KeptParts): Promise<PrepareParts> {
  const trust = logTrust(policy)
  const [catalog, noted] = [await state.log('catalog'), await state.log('revocations')]
  const notes = trust === undefined ? [] : openNotes(noted, trust, policy)
  const believed = await state.revocations()
  const revocations: Parameters<typeof vettingBy>[0] = {
    of: (release) => believed.find(({ revocation }) => concerns(revocation.revoked, release)),
    versionsOf: (program) => versionsRevoked(believed, program),
    requireNotWithheld: (release) => {
      const found = notes.find((note) => concerns(note.revoked, release))
      if (found !== undefined) throw withheldProblem(found.revoked)
    },
  }
  const missing = async (digest: Digest): Promise<never> => {
    const kept = await state.blob(digest)
    if (kept === undefined) throw new DomainError('file_unreadable', `no file is kept under ${digest}`)
    throw new DomainError('digest_mismatch', `the file kept under ${digest} is ${sha256Digest(kept)}`)
  }
  return {
    ...parts,
    vetting: vettingBy(revocations, { notes, ...keptLogs([catalog, noted], parts.clock) }, trust),
    state: { blob: state.blob, releaseSeen: state.releaseSeen, saveBlob: async () => {} },
    registry: { blob: missing },
    signal: new AbortController().signal,
  }
}

/** What the log notes as revoked, of which it is not known that it was nobody who may. */
const openNotes = (log: KeptLog | undefined, trust: LogTrust, policy: NodePolicy): RevocationNote[] =>
  log?.key === formatNoteKey(trust.keys.revocations)
    ? log.notes.filter(({ ignored }) => ignored !== judgedUnder(policy))
    : []

/** The logs as they were last seen. An entry is known that was found in its place by a proof. */
function keptLogs(
  [catalog, ...others]: readonly (KeptLog | undefined)[],
  clock: PrepareParts['clock'],
): Pick<LogFollower, 'isStale' | 'requireLogged' | 'follow'> {
  return {
    follow: async () => undefined, // what is kept goes back nowhere
    isStale: ({ policy }) => {
      const now_s = clock().getTime() / 1000
      return [catalog, ...others].some((log) => log !== undefined && now_s > log.freshAt + policy.maxAge_s)
    },
    requireLogged: async (release, signers, trust) => {
      const { index, place, at } = publicationOf(release, signers)
      const same = catalog?.key === formatNoteKey(trust.keys.catalog)
      if (same && catalog.places.includes(place))
        return new Date(Math.max(at.getTime(), absentUntil(catalog.sightings, index) * 1000))
      throw new DomainError(
        'not_logged',
        `this node has not found entry ${index} of the log to be its publication`,
      )
    },
  }
}

/** What vetting a release found out: who signed it, and where in the log it is. */
export interface Vetted {
  readonly signers: Parameters<Vetting['requireAllowed']>[1]
  readonly logged: { readonly index: number; readonly at: string } | undefined
}

/** The same vetting, which says of each release that is allowed what it found. */
export const telling = (vetting: Vetting, tell: (vetted: Vetted) => void): Vetting => ({
  ...vetting,
  requireAllowed: async (release, signers, signal) => {
    const published = await vetting.requireAllowed(release, signers, signal)
    const said = published && publicationOf(release, signers)
    tell({ signers, logged: said && { index: said.index, at: said.at.toISOString() } })
    return published
  },
})
