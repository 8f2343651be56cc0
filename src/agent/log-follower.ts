import { setTimeout } from 'node:timers/promises'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { KeptLog, RevocationNote } from '../domain/kept-log.ts'
import { LIMITS } from '../domain/limits.ts'
import type { LogName } from '../domain/log.ts'
import type { ReleaseDescriptor } from '../domain/release.ts'
import type { Signer } from '../domain/signer.ts'
import type { AgentState } from '../ports/agent-state.ts'
import type { Clock } from '../ports/clock.ts'
import type { NodeRegistry } from '../ports/node-registry.ts'
import { replayEntries } from '../tlog/audit.ts'
import { parseCheckpoint } from '../tlog/checkpoint.ts'
import { parseEntry } from '../tlog/entry.ts'
import { acceptCheckpoint, type LogState } from '../tlog/log-state.ts'
import { EMPTY_ROOT } from '../tlog/merkle.ts'
import { parseNote, verifyNote } from '../tlog/note.ts'
import { asCosigner, formatNoteKey, type NoteKey } from '../tlog/note-key.ts'
import { consistencyProof, inclusionProof, verifyInclusion } from '../tlog/proof.ts'
import { type ReadTile, tileHashReader } from '../tlog/tile-reader.ts'
import { absentUntil, sighted } from './log-sightings.ts'
import type { LogTrust } from './log-trust.ts'
import { publicationOf } from './publication.ts'

/** What following the logs works with. */
export interface LogFollowerParts {
  readonly state: Pick<AgentState, 'log' | 'saveLog'>
  readonly registry: Pick<NodeRegistry, 'logFile'>
  readonly clock: Clock
}

/**
 * Follows the logs of the registry from one checkpoint to the next, as a reader whom it cannot show two histories: what was
 * seen is kept before it is believed. Entries of the revocations are replayed, all of them, so that none can be withheld.
 */
export class LogFollower {
  readonly #parts: LogFollowerParts
  readonly #kept = new Map<LogName, KeptLog>()
  #following: Promise<void> | undefined
  #changes: Promise<void> = Promise.resolve()
  /** Why the logs are not believed now; what was believed before stays so. */
  problem: DomainError | undefined

  constructor(parts: LogFollowerParts) {
    this.#parts = parts
  }

  /** What the entries of the revocations say, up to the newest checkpoint that was believed. */
  get notes(): readonly RevocationNote[] {
    return this.#kept.get('revocations')?.notes ?? []
  }

  /** Reads what is kept of the logs. */
  async open(trust: LogTrust): Promise<void> {
    for (const log of ['catalog', 'revocations'] as const) await this.#open(log, trust.keys[log])
  }

  /** Goes on to the newest checkpoints; what stands in the way becomes the {@link problem}. One at a time. */
  follow(trust: LogTrust, signal: AbortSignal): Promise<void> {
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
    const { index, leaf, at: said } = publicationOf(release, signers)
    const place = `${index}:${leaf.toString('hex')}`
    let kept = await this.#open('catalog', trust.keys.catalog)
    const published = (): Date =>
      new Date(Math.max(said.getTime(), absentUntil(kept.sightings, index) * 1000))
    if (kept.places.includes(place)) return published()
    // one look may have been under way, and have asked before the entry was there
    for (let looks = 0; looks < 2 && (kept.size <= index || this.problem !== undefined); looks++) {
      await this.follow(trust, signal)
      if (this.problem !== undefined) throw this.problem
      kept = await this.#open('catalog', trust.keys.catalog)
    }
    const { size } = kept
    if (size <= index)
      throw new DomainError('not_logged', `the log has ${size} entries, and no entry ${index}`)
    if (this.isStale(trust)) throw stale(trust)
    const proof = await inclusionProof(index, size, tileHashReader(size, this.#readTile('catalog', signal)))
    verifyInclusion({ leaf, index, size, root: Buffer.from(kept.root, 'base64'), proof })
    await this.#change('catalog', ({ places }) => ({
      places: [...places, place].slice(-LIMITS.agent_places),
    }))
    return published()
  }

  async #followAll(trust: LogTrust, signal: AbortSignal): Promise<void> {
    try {
      for (const log of ['catalog', 'revocations'] as const) await this.#followOne(log, trust, signal)
      this.problem = undefined
    } catch (error) {
      const problem = asDomainError(error)
      // a registry that is away says nothing of its log, until it is away for too long
      if (problem.code === 'registry_unavailable' || signal.aborted)
        this.problem = this.isStale(trust) ? stale(trust) : this.problem
      else this.problem = problem
    }
  }

  /**
   * Goes on to the newest checkpoint of one log. Witnesses sign it after the change that made it is there: until they have, within
   * LIMITS.witness_patience_ms, it is asked for again rather than complained of.
   */
  async #followOne(log: LogName, trust: LogTrust, signal: AbortSignal): Promise<void> {
    const patience = performance.now() + LIMITS.witness_patience_ms
    for (;;) {
      try {
        return await this.#look(log, trust, signal)
      } catch (error) {
        if (asDomainError(error).code !== 'witnesses_missing' || performance.now() > patience) throw error
      }
      await setTimeout(LIMITS.witness_look_ms, undefined, { signal })
    }
  }

  async #look(log: LogName, trust: LogTrust, signal: AbortSignal): Promise<void> {
    const kept = await this.#open(log, trust.keys[log])
    const key = trust.keys[log]
    const note = await this.#file(log, 'checkpoint', LIMITS.note_bytes, signal)
    const readTile = this.#readTile(log, signal)
    const seen: LogState = { key, epoch: kept.epoch, size: kept.size, root: Buffer.from(kept.root, 'base64') }
    const parsed = parseNote(note)
    verifyNote(parsed, [key]) // a stranger's size is nothing to ask for tiles by
    const { size } = parseCheckpoint(parsed.text)
    const proof =
      size > kept.size ? await consistencyProof(kept.size, size, tileHashReader(size, readTile)) : []
    const head = acceptCheckpoint(seen, { note, proof }, trust.policy, this.#parts.clock())
    const [cosigner] = verifyNote(parsed, [asCosigner(key)])
    const replayed = log === 'revocations' ? await this.#replay(kept, head, readTile) : {}
    const now_s = Math.floor(this.#parts.clock().getTime() / 1000)
    await this.#change(log, ({ sightings }) => ({
      sightings: sighted(sightings, head.size, now_s),
      ...{ size: head.size, root: head.root.toString('base64'), ...replayed },
      freshAt: Math.max(kept.freshAt, cosigner?.time ?? 0),
    }))
  }

  /** Reads the entries that came since; those of private programs, and of later kinds, say nothing here. */
  async #replay(kept: KeptLog, head: LogState, readTile: ReadTile): Promise<Partial<KeptLog>> {
    if (head.size > LIMITS.agent_revocations)
      throw new DomainError('too_large', `the log has more than ${LIMITS.agent_revocations} revocations`)
    const notes = [...kept.notes]
    const from = { size: kept.size, hashes: kept.frontier.map((hash) => Buffer.from(hash, 'base64')) }
    const frontier = await replayEntries({ from, head, readTile }, (entries) => {
      for (const entry of entries.map(parseEntry))
        if (entry.kind === 'revoke') notes.push({ revoked: entry.revoked, envelope: entry.envelope })
    })
    return { notes, frontier: frontier.hashes.map((hash) => hash.toString('base64')) }
  }

  /** What is kept of a log; nothing yet where the policy names another key than before. */
  async #open(log: LogName, key: NoteKey): Promise<KeptLog> {
    const text = formatNoteKey(key)
    const known = this.#kept.get(log) ?? (await this.#parts.state.log(log))
    if (known?.key === text) {
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
      const { code, message } = asDomainError(cause)
      if (code === 'registry_unavailable') throw cause
      throw new DomainError('log_malformed', `the registry does not show ${path} of its log: ${message}`, {
        cause,
      })
    }
  }
}

const stale = ({ policy: { maxAge_s } }: LogTrust): DomainError =>
  new DomainError('log_stale', `the log did not say within ${maxAge_s} s that nothing newer is in it`)
