import { setTimeout as sleep } from 'node:timers/promises'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { KeptLog, RevocationNote } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import type { Digest } from '../domain/names.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import type { Signer } from '../domain/signer.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { acceptCheckpoint, type LogState } from '../tlog/log-state.ts'
import { EMPTY_FRONTIER, EMPTY_ROOT } from '../tlog/merkle.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import { asCosigner, formatNoteKey, type NoteKey, parseNoteKey } from '../tlog/note-key.ts'
import { consistencyProof, inclusionProof, verifyInclusion } from '../tlog/proof.ts'
import { followRecoveries, type Recovered } from '../tlog/recovery.ts'
import { type ReadTile, tileHashReader } from '../tlog/tile-reader.ts'
import { absentUntil, sighted, sightedAnew } from './log-sightings.ts'
import type { LogTrust } from './log-trust.ts'
import { publicationOf } from './logged-release.ts'
import { joinNotes, matters, readNotes, scopeOf } from './revocation-notes.ts'

/** What following the logs works with. */
export interface LogFollowerParts {
  readonly state: Pick<AgentState, 'log' | 'saveLog'>
  readonly registry: Pick<NodeRegistry, 'logFile'>
  readonly clock: Clock
  readonly say: (line: string) => void
}

/**
 * Follows the logs of the registry from one checkpoint to the next, as a reader whom it cannot show two histories: what was
 * seen is kept before it is believed. Entries of the revocations are replayed, all of them, and what they note of the policy's
 * programs is kept, so that none can be withheld.
 */
export class LogFollower {
  readonly #parts: LogFollowerParts
  readonly #kept = new Map<LogName, KeptLog>()
  #following: Promise<DomainError | undefined> | undefined
  #changes: Promise<void> = Promise.resolve()
  /** Logs of which something newer is there that too few witnesses signed. */
  readonly #behind = new Set<LogName>()
  /** Why the logs are not believed now; what was believed before stays so. */
  problem: DomainError | undefined

  constructor(parts: LogFollowerParts) {
    this.#parts = parts
  }

  /** What the entries of the revocations say, up to the newest checkpoint that was believed. */
  get notes(): readonly RevocationNote[] {
    return this.#kept.get('revocations')?.notes ?? []
  }

  /** That there was no room for all that the log notes. */
  get overflow(): DomainError | undefined {
    const { leftOut = 0 } = this.#kept.get('revocations') ?? {}
    if (leftOut === 0) return undefined
    return new DomainError(
      'log_notes_left_out',
      `the log notes ${leftOut} revocations more than the ${LIMITS.agent_revocations} that a node keeps of what matters to its policy`,
    )
  }

  /** Keeps which notes are ignored, and under which policy, so that a start without a registry takes none of them for withheld. */
  async markIgnored(ignoredUnder: (note: RevocationNote) => Digest | undefined): Promise<void> {
    const mark = (note: RevocationNote): RevocationNote => {
      const ignored = ignoredUnder(note)
      return ignored === undefined ? note : { ...note, ignored }
    }
    if (this.notes.some((note) => mark(note).ignored !== note.ignored))
      await this.#change('revocations', ({ notes }) => ({ notes: notes.map(mark) }))
  }

  /** Whether there is something newer than what is believed, which too few witnesses signed yet. */
  get isBehind(): boolean {
    return this.#behind.size > 0
  }

  /** Logs that were begun anew lately, at the cost of entries that were seen here. */
  get losses(): DomainError[] {
    const now_s = this.#parts.clock().getTime() / 1000
    return [...this.#kept].flatMap(([log, { recovered, epoch }]) =>
      recovered === undefined || recovered.lost === 0 || now_s > recovered.at + LIMITS.log_recovery_told_s
        ? []
        : [
            new DomainError(
              'log_recovered',
              `the log of ${log} was begun anew (epoch ${epoch}) without ${recovered.lost} entries that this node had seen`,
            ),
          ],
    )
  }

  /** Reads what is kept of the logs. */
  async open(trust: LogTrust): Promise<void> {
    for (const log of ['catalog', 'revocations'] as const) await this.#open(log, trust.keys[log])
  }

  /**
   * Goes on to the newest checkpoints; what stands in the way becomes the {@link problem}. One at a time. Gives why this look did not
   * get there, which a registry that is away is, too.
   */
  follow(trust: LogTrust, signal: AbortSignal): Promise<DomainError | undefined> {
    this.#following ??= this.#followAll(trust, signal).finally(() => {
      this.#following = undefined
    })
    return this.#following
  }

  /** Whether the logs have not been heard of for longer than the policy allows. */
  isStale(trust: LogTrust): boolean {
    const now_s = this.#parts.clock().getTime() / 1000
    return [...this.#kept.values()].some(({ freshAt }) => now_s > freshAt + trust.policy.maxAge_s)
  }

  /**
   * Refuses a release whose publication is not in the log of the catalog as it is: program, version, files, bundle, one of its
   * signers. Gives when it was published: as its entry says, but not before a look at the log that had no such entry yet, since the
   * registry signs its log itself. What was found there once is known without the registry. Throws `not_logged`, and why the log is
   * not believed.
   */
  async requireLogged(
    release: ReleaseDescriptor,
    signers: readonly Signer[],
    trust: LogTrust,
    signal: AbortSignal,
  ): Promise<Date> {
    const { index, leaf, place, at: said } = publicationOf(release, signers)
    let kept = await this.#open('catalog', trust.keys.catalog)
    const published = (): Date =>
      new Date(Math.max(said.getTime(), absentUntil(kept.sightings, index) * 1000))
    if (kept.places.includes(place)) return published()
    // one look may have been under way, and have asked before the entry was there; witnesses may not have signed it yet
    const until = performance.now() + LIMITS.agent_witness_ms
    for (let looks = 0; kept.size <= index || this.problem !== undefined || !this.#isRead(trust); looks++) {
      await this.follow(trust, signal)
      if (this.problem !== undefined) throw this.problem
      kept = await this.#open('catalog', trust.keys.catalog)
      if (kept.size > index || (looks > 0 && (!this.isBehind || performance.now() >= until))) break
      if (this.isBehind) await sleep(LIMITS.agent_witness_pause_ms, undefined, { signal })
    }
    const { size } = kept
    if (size <= index && this.isBehind)
      throw new DomainError('witnesses_missing', `entry ${index} is new, and too few witnesses signed it yet`)
    if (size <= index)
      throw new DomainError('not_logged', `the log has ${size} entries, and no entry ${index}`)
    if (this.isStale(trust)) throw stale(trust)
    if (!this.#isRead(trust))
      throw new DomainError('log_stale', 'the log of revocations was not read for what the policy allows now')
    try {
      const proof = await inclusionProof(index, size, tileHashReader(size, this.#readTile('catalog', signal)))
      verifyInclusion({ leaf, index, size, root: Buffer.from(kept.root, 'base64'), proof })
    } catch (refusal) {
      // the log may be another since it was looked at: begun anew, which leads on, or gone back, which says more than the proof
      await this.follow(trust, signal)
      if (this.problem !== undefined) throw this.problem
      if ((await this.#open('catalog', trust.keys.catalog)).epoch === kept.epoch) throw refusal
      return this.requireLogged(release, signers, trust, signal)
    }
    await this.#change('catalog', ({ places }) => ({
      places: [...places, place].slice(-LIMITS.agent_places),
    }))
    return published()
  }

  async #followAll(trust: LogTrust, signal: AbortSignal): Promise<DomainError | undefined> {
    const problems: DomainError[] = []
    // what is wrong with one log keeps no news of the other away
    for (const log of ['catalog', 'revocations'] as const)
      await this.#followOne(log, trust, signal).catch((error) => problems.push(asDomainError(error)))
    // a registry that is away says nothing of its log, until it is away for too long
    const isAway = ({ code }: DomainError): boolean => code === 'registry_unavailable' || signal.aborted
    if (problems.length > 0 && problems.every(isAway))
      this.problem = this.isStale(trust) ? stale(trust) : this.problem
    else this.problem = problems.find((problem) => !isAway(problem))
    return problems.find((problem) => !isAway(problem)) ?? problems[0]
  }

  async #followOne(log: LogName, trust: LogTrust, signal: AbortSignal): Promise<void> {
    const kept = await this.#open(log, trust.keys[log])
    const { recovered, head, time } = await this.#newest(log, kept, trust, signal)
    const { state: seen, lost } = recovered
    const replayed =
      log === 'revocations'
        ? await this.#replay(kept, lost, head, trust, this.#readTile(log, signal))
        : () => ({})
    const now_s = Math.floor(this.#parts.clock().getTime() / 1000)
    const looks = ({ sightings }: KeptLog) =>
      sighted(lost > 0 ? sightedAnew(sightings, seen.size, now_s) : sightings, head.size, now_s)
    await this.#change(log, (now) => ({
      sightings: looks(now),
      ...{ size: head.size, root: head.root.toString('base64'), ...replayed(now) },
      freshAt: Math.max(kept.freshAt, time),
      ...this.#begunAnew(recovered, now.places),
    }))
    if (recovered.notes.size > 0)
      this.#parts.say(
        `log: the log of ${log} goes on as ${seen.key.name} (epoch ${seen.epoch}), by its recovery key; ${lost} entries that were seen here are lost`,
      )
  }

  /**
   * The newest checkpoint; where witnesses are asked for and have not signed it yet, the newest that they signed. Only when
   * there is none of those is it waited for them. Throws what {@link acceptCheckpoint} does.
   */
  async #newest(log: LogName, kept: KeptLog, trust: LogTrust, signal: AbortSignal): Promise<Accepted> {
    const until = performance.now() + LIMITS.agent_witness_ms
    for (;;)
      try {
        const note = await this.#file(log, 'checkpoint', LIMITS.note_bytes, signal)
        const accepted = await this.#accept(log, kept, note, trust, signal)
        this.#behind.delete(log)
        return accepted
      } catch (thrown) {
        if (asDomainError(thrown).code !== 'witnesses_missing') throw thrown
        const accepted = await this.#witnessed(log, kept, trust, signal)
        if (accepted !== undefined) {
          this.#behind.add(log)
          return accepted
        }
        if (performance.now() >= until) throw thrown
        await sleep(LIMITS.agent_witness_pause_ms, undefined, { signal })
      }
  }

  /** The newest checkpoint that enough of the policy's witnesses signed; undefined where that is older than what was seen. */
  async #witnessed(
    log: LogName,
    kept: KeptLog,
    trust: LogTrust,
    signal: AbortSignal,
  ): Promise<Accepted | undefined> {
    const { keys, threshold } = trust.policy.witnesses
    const ids = keys.map(({ id }) => id.toString('hex')).join(',')
    const path = `witnessed?threshold=${threshold}&keys=${ids}`
    const note = await this.#file(log, path, LIMITS.note_bytes, signal).catch(unlessMissing)
    if (note === undefined || parseCheckpoint(parseNote(note).text).size < kept.size) return undefined
    return this.#accept(log, kept, note, trust, signal)
  }

  /** Checks that a checkpoint continues what is kept, as the policy asks. Throws what {@link acceptCheckpoint} does. */
  async #accept(
    log: LogName,
    kept: KeptLog,
    note: Buffer,
    trust: LogTrust,
    signal: AbortSignal,
  ): Promise<Accepted> {
    const parsed = parseNote(note)
    const { origin, size } = parseCheckpoint(parsed.text)
    const recovered = await this.#recovered(log, stateOf(kept), origin, trust, signal)
    const { state: seen } = recovered
    verifyNote(parsed, [seen.key]) // a stranger's size is nothing to ask for tiles by
    const readHashes = tileHashReader(size, this.#readTile(log, signal))
    const proof = size > seen.size ? await consistencyProof(seen.size, size, readHashes) : []
    const head = acceptCheckpoint(seen, { note, proof }, trust.policy, this.#parts.clock())
    const [cosigner] = verifyNote(parsed, [asCosigner(seen.key)])
    return { recovered, head, time: cosigner?.time ?? 0 }
  }

  /** Goes over to the log that the registry shows, where statements of the policy's recovery key lead there. */
  #recovered(
    log: LogName,
    seen: LogState,
    origin: string,
    { recoveryKeys }: LogTrust,
    signal: AbortSignal,
  ): Promise<Recovered> {
    return followRecoveries(seen, origin, recoveryKeys, (epoch) =>
      this.#file(log, `recovery/${epoch}`, LIMITS.note_bytes, signal).catch(unlessMissing),
    )
  }

  /** What to keep of a log that was gone over to; nothing where it is the one that was followed. */
  #begunAnew({ state, lost, notes }: Recovered, places: KeptLog['places']): Partial<KeptLog> {
    if (notes.size === 0) return {}
    return {
      ...{ epoch: state.epoch, goesOnAs: formatNoteKey(state.key) },
      recovered: { lost, at: Math.floor(this.#parts.clock().getTime() / 1000) },
      places: lost === 0 ? places : places.filter((place) => Number.parseInt(place, 10) < state.size),
    }
  }

  /**
   * Reads the entries that came since, or all where they are others than were seen, or other programs matter now. What lost
   * entries said goes on to count.
   */
  async #replay(
    kept: KeptLog,
    lost: number,
    head: LogState,
    { rules }: LogTrust,
    readTile: ReadTile,
  ): Promise<(now: KeptLog) => Partial<KeptLog>> {
    const scope = scopeOf(rules)
    const anew = lost > 0 || kept.scope !== scope
    const hashes = kept.frontier.map((hash) => Buffer.from(hash, 'base64'))
    const from = anew ? EMPTY_FRONTIER : { size: kept.size, hashes }
    const found = await readNotes({ from, head, readTile }, rules)
    return ({ notes, leftOut }) => ({
      ...joinNotes(
        {
          notes: notes.filter((note) => matters(note, rules)),
          leftOut: found.leftOut + (anew ? 0 : leftOut),
        },
        found.notes,
      ),
      frontier: found.frontier.hashes.map((hash) => hash.toString('base64')),
      scope,
    })
  }

  /** Whether all was read that matters to a policy. */
  #isRead({ rules }: LogTrust): boolean {
    return this.#kept.get('revocations')?.scope === scopeOf(rules)
  }

  /** What is kept of a log; nothing yet where the policy names another key than before. */
  async #open(log: LogName, key: NoteKey): Promise<KeptLog> {
    const text = formatNoteKey(key)
    const known = this.#kept.get(log) ?? (await this.#parts.state.log(log))
    if (known !== undefined && (known.key === text || known.goesOnAs === text)) {
      this.#kept.set(log, known)
      return known
    }
    const freshAt = Math.floor(this.#parts.clock().getTime() / 1000)
    const root = EMPTY_ROOT.toString('base64')
    const begun = {
      key: text,
      epoch: 0,
      size: 0,
      root,
      freshAt,
      sightings: [],
      places: [],
      frontier: [],
      notes: [],
      leftOut: 0,
    }
    await this.#keep(log, begun)
    return begun
  }

  /** Changes a part of what is kept, whatever else changed meanwhile. */
  #change(log: LogName, change: (kept: KeptLog) => Partial<KeptLog>): Promise<void> {
    const changed = this.#changes.then(async () => {
      const kept = this.#kept.get(log)
      if (kept !== undefined) await this.#keep(log, { ...kept, ...change(kept) })
    })
    this.#changes = changed.catch(() => {}) // whoever asked for it is told
    return changed
  }

  async #keep(log: LogName, kept: KeptLog): Promise<void> {
    await this.#parts.state.saveLog(log, kept)
    this.#kept.set(log, kept)
  }

  #readTile(log: LogName, signal: AbortSignal): ReadTile {
    return (path) => this.#file(log, path, LIMITS.log_tile_bytes, signal)
  }

  async #file(log: LogName, path: string, maxBytes: number, signal: AbortSignal): Promise<Buffer> {
    try {
      return await this.#parts.registry.logFile(log, path, maxBytes, signal)
    } catch (cause) {
      const { code, kind, message } = asDomainError(cause)
      // neither says anything of the log: the registry is away, or does not know the node by its key
      if (code === 'registry_unavailable' || kind === 'unauthenticated') throw cause
      throw new DomainError('log_malformed', `the registry does not show ${path} of its log: ${message}`, {
        cause,
      })
    }
  }
}

/** A checkpoint that was accepted: what it leads to, and when the log last signed it, in POSIX seconds. */
interface Accepted {
  readonly recovered: Recovered
  readonly head: LogState
  readonly time: number
}

/** Undefined for a file that the registry does not have; other failures are thrown on. */
function unlessMissing(thrown: unknown): undefined {
  if (asDomainError(asDomainError(thrown).cause).code !== 'not_found') throw thrown
}

/** What was seen of a log, under the key by which it goes on. */
const stateOf = ({ key, goesOnAs, epoch, size, root }: KeptLog): LogState => ({
  ...{ key: parseNoteKey(goesOnAs ?? key), epoch, size, root: Buffer.from(root, 'base64') },
})

const stale = ({ policy: { maxAge_s } }: LogTrust): DomainError =>
  new DomainError('log_stale', `the log did not say within ${maxAge_s} s that nothing newer is in it`)
