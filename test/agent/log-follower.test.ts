import { afterEach, describe, expect, test } from 'vitest'
import { stringify } from 'yaml'
import { LogFollower } from '../../src/agent/log-follower.ts'
import { type LogTrust, logTrust } from '../../src/agent/log-trust.ts'
import { sha256Digest } from '../../src/attest/keys.ts'
import { DomainError } from '../../src/domain/errors.ts'
import { KeptLog } from '../../src/domain/kept-log.ts'
import { LIMITS } from '../../src/domain/limits.ts'
import type { LogName } from '../../src/domain/log.ts'
import type { LogEntry } from '../../src/domain/log-entry.ts'
import type { Digest } from '../../src/domain/names.ts'
import type { ReleaseDescriptor } from '../../src/domain/release.ts'
import { revokedText } from '../../src/domain/revocation.ts'
import { parseTrustPolicy } from '../../src/domain/trust-policy.ts'
import { encodeEntry } from '../../src/tlog/entry.ts'
import { appendLeaves, EMPTY_FRONTIER, frontierRoot, leafHash } from '../../src/tlog/merkle.ts'
import { formatNoteKey, noteKeyOf } from '../../src/tlog/note-key.ts'
import { type Recovery, signRecovery } from '../../src/tlog/recovery.ts'
import { type MemoryLog, memoryLog, newSigner } from '../support/memory-log.ts'

const digestOf = (n: number): Digest => `sha256:${n.toString(16).padStart(64, '0')}`
const revoke = (n: number): LogEntry => ({
  ...{ v: 1, kind: 'revoke', at: n, reason: 'faulty', envelope: digestOf(n) },
  revoked: { kind: 'file', digest: digestOf(n) },
})
const epoch = (number: number): LogEntry => ({
  ...{ v: 1, kind: 'epoch', at: 1, epoch: number, recovery: digestOf(0) },
})
const rootOf = (entries: readonly LogEntry[]): Buffer =>
  frontierRoot(appendLeaves(EMPTY_FRONTIER, entries.map(encodeEntry).map(leafHash)).frontier)

const recoverer = newSigner('registry.test/recovery')
const catalog = newSigner('registry.test/catalog')
const signerOf = (log: LogName, name = 'registry.test') => ({
  ...{ key: noteKeyOf(`${name}/${log}`, 'note', catalog.privateKey), privateKey: catalog.privateKey },
})

/** What a registry shows of each log. */
const shown = new Map<LogName, MemoryLog>()
let statements = new Map<string, string>()
const kept = new Map<LogName, KeptLog>()
let said: string[] = []
/** What the registry answers instead of showing anything. */
let refusal: DomainError | undefined
/** A policy that follows the log and has rules for these programs. */
const trustIn = (...patterns: string[]): LogTrust =>
  logTrust(
    parseTrustPolicy(
      stringify({
        log: { key: formatNoteKey(catalog.key), recovery: formatNoteKey(recoverer.key), maxAge: '1h' },
        programs: patterns.map((match) => ({ match, signers: [{ key: digestOf(9) }] })),
      }),
    ),
  ) ?? expect.fail('no trust')
const trust = trustIn()

const follower = (): LogFollower =>
  new LogFollower({
    state: {
      log: async (log) => kept.get(log),
      saveLog: async (log, now) => {
        kept.set(log, now)
      },
    },
    registry: {
      logFile: async (log, path) => {
        if (refusal !== undefined) throw refusal
        const one = shown.get(log) ?? expect.fail('no log')
        const found =
          path === 'checkpoint'
            ? one.checkpoint(one.size)
            : (statements.get(`${log}/${path}`) ?? one.tile(path))
        if (found === undefined) throw new DomainError('not_found', path)
        return Buffer.from(found)
      },
    },
    clock: () => new Date(),
    say: (line) => said.push(line),
  })
const follow = async (by = trust): Promise<LogFollower> => {
  const one = follower()
  await one.follow(by, AbortSignal.timeout(20_000))
  return one
}
const show = (entries: readonly LogEntry[], name?: string): void => {
  shown.set('catalog', memoryLog(signerOf('catalog', name), entries.map(encodeEntry)))
  shown.set('revocations', memoryLog(signerOf('revocations', name), entries.map(encodeEntry)))
}
/** Has statements about both logs served as those of an epoch. */
function state(
  number: number,
  change: Partial<Recovery> & { good: readonly LogEntry[]; by?: typeof recoverer },
) {
  const { good, by = recoverer, ...rest } = change
  for (const log of ['catalog', 'revocations'] as const) {
    const { key } = signerOf(log, `registry.test/epoch-${number}`)
    const origin = `registry.test${number === 1 ? '' : `/epoch-${number - 1}`}/${log}`
    const recovery = { origin, epoch: number, size: good.length, root: rootOf(good), key, ...rest }
    statements.set(`${log}/recovery/${number}`, signRecovery(recovery, by))
  }
}
afterEach(() => {
  kept.clear()
  statements = new Map()
  said = []
  refusal = undefined
})

describe('a registry that does not show its log', () => {
  test.each([
    ['node_unauthenticated', 'node_unauthenticated'], // says nothing of the log
    ['node_key_retired', 'node_key_retired'],
    ['not_found', 'log_malformed'],
    ['registry_unavailable', undefined],
  ] as const)('by %s is reported as %s, and its log is good again once it does', async (answer, problem) => {
    show([revoke(1)])
    const one = await follow()
    refusal = new DomainError(answer, 'no')
    await one.follow(trust, AbortSignal.timeout(5000))
    expect(one.problem?.code).toBe(problem)
    refusal = undefined
    await one.follow(trust, AbortSignal.timeout(5000))
    expect([one.problem, one.notes.length]).toEqual([undefined, 1])
  })
})

const publish = (at: number, version: string): LogEntry => ({
  ...{ v: 1, kind: 'publish', at, program: 'acme/limit', version, bundle: sha256Digest(Buffer.from('b')) },
  ...{ files: [{ name: 'f', digest: digestOf(1) }], signers: [digestOf(9)] },
})
/** When an entry counts as published, in POSIX seconds. */
async function publishedAt(index: number, entry: LogEntry): Promise<number> {
  const release = loggedAs(index, entry)
  const at = await follower().requireLogged(release, [digestOf(9)], trust, AbortSignal.timeout(5000))
  return at.getTime() / 1000
}
/** The release that an entry publishes, as a registry describes it. */
function loggedAs(index: number, entry: LogEntry): ReleaseDescriptor {
  if (entry.kind !== 'publish') throw new TypeError(entry.kind)
  const { program, version } = entry
  const files = [{ name: 'f', digest: digestOf(1), size: 1 }]
  return {
    ...{ program, version, bundle: 'b', bundles: [], files },
    logged: { index, entry: encodeEntry(entry).toString('utf8') },
  }
}
const now_s = (): number => Math.floor(Date.now() / 1000)

describe('the time of an entry', () => {
  const old = publish(now_s() - 86_400, '1.0.0')

  test('counts where it was there when the log was first seen', async () => {
    show([old])
    expect(await publishedAt(0, old)).toBe(old.at)
    expect(await publishedAt(0, old)).toBe(old.at)
  })
  test('that is older than when the log was seen without it does not, also after a restart', async () => {
    show([revoke(1)])
    const began = now_s()
    await follow()
    show([revoke(1), old])
    await follow() // the log is looked at before anybody asks for the release
    for (let times = 0; times < 2; times++) expect(await publishedAt(1, old)).toBeGreaterThanOrEqual(began)
    // nor is an entry older for what the log got behind it
    show([revoke(1), old, revoke(2)])
    await follow()
    expect(await publishedAt(1, old)).toBeGreaterThanOrEqual(began)
  })
  test.each([
    ['fewer entries than were seen', []],
    ['as many', [revoke(6)]],
    ['more', [revoke(6), revoke(7)]],
  ])(
    'that came after the log was begun anew is no older than the last look before, with %s',
    async (_, more) => {
      show([...before, ...lost])
      const began = now_s()
      await follow()
      show([...before, epoch(1), old, ...more], 'registry.test/epoch-1')
      state(1, { good: before })
      expect((await follow()).problem).toBe(undefined)
      expect(await publishedAt(3, old)).toBeGreaterThanOrEqual(began)
    },
  )
  test('is asked of the log that was begun anew, also when it was not looked at since', async () => {
    show([...before, ...lost])
    await follow()
    const entry = publish(now_s(), '1.0.0')
    show([...before, epoch(1), entry], 'registry.test/epoch-1')
    const refused = expect.objectContaining({ code: 'log_untrusted' }) // nobody says so yet
    await expect(publishedAt(3, entry)).rejects.toThrow(refused)
    state(1, { good: before })
    expect(await publishedAt(3, entry)).toBe(entry.at)
    expect(kept.get('catalog')).toMatchObject({ epoch: 1, size: 4 })
  })
  test('is not what the registry says it is', async () => {
    show([revoke(1), publish(now_s(), '1.0.0')])
    await expect(publishedAt(1, old)).rejects.toThrow(expect.objectContaining({ code: 'log_proof_invalid' }))
  })
})

const revokeRelease = (program: string, n: number): LogEntry => ({
  ...{ v: 1, kind: 'revoke', at: n, reason: 'faulty', envelope: digestOf(n) },
  revoked: { kind: 'release', program, version: `1.0.${n}` },
})

describe('what the log notes', () => {
  const found = ({ notes }: LogFollower): Digest[] => notes.map(({ envelope }) => envelope)

  test('is kept of programs that the policy has rules for, and of files', async () => {
    show([revokeRelease('acme/limit', 1), revokeRelease('other/limit', 2), revoke(3)])
    expect(found(await follow(trustIn('acme/*')))).toEqual([digestOf(1), digestOf(3)])
    // what a policy passed over matters to another
    const wider = await follow(trustIn('acme/*', 'other/*'))
    expect(new Set(found(wider))).toEqual(new Set([1, 2, 3].map(digestOf)))
    expect(found(await follow(trustIn('other/*')))).toHaveLength(2)
  })
  test('is read as soon as it matters, before a release is taken for one that is not revoked', async () => {
    const entry = publish(now_s(), '1.0.0')
    show([entry, revokeRelease('acme/limit', 1)])
    await follow(trustIn('other/*'))
    const one = follower()
    const asked = (): Promise<Date> =>
      one.requireLogged(loggedAs(0, entry), [digestOf(9)], trustIn('acme/*'), AbortSignal.timeout(5000))
    // a registry that shows one log and not the other says nothing of it
    const { tile, ...revocations } = shown.get('revocations') ?? expect.fail('no log')
    const away = (): never => {
      throw new DomainError('registry_unavailable', 'away')
    }
    shown.set('revocations', { ...revocations, tile: away })
    await expect(asked()).rejects.toThrow(expect.objectContaining({ code: 'log_stale' }))
    shown.set('revocations', { ...revocations, tile })
    await asked()
    expect(found(one)).toEqual([digestOf(1)])
  })
  test('without end makes no log stale, and hides nothing of others', async () => {
    const flood = Array.from({ length: LIMITS.agent_revocations + 1 }, (_, n) =>
      revokeRelease('flood/some', n),
    )
    show([revokeRelease('acme/limit', 1), ...flood, revoke(2)])
    for (const [by, size, overflow] of [
      [trustIn('acme/*'), 2, undefined],
      [trustIn('acme/*', 'flood/*'), LIMITS.agent_revocations, 'log_notes_left_out'],
    ] as const) {
      const was = kept.get('revocations')
      if (was !== undefined) kept.set('revocations', { ...was, freshAt: 0 })
      const one = await follow(by)
      expect([one.problem, one.overflow?.code, one.isStale(by)]).toEqual([undefined, overflow, false])
      expect(found(one)).toHaveLength(size)
      expect(one.notes.map(({ revoked }) => revokedText(revoked))).toContain('acme/limit@1.0.1')
      expect(found(one)).toContain(digestOf(2))
      expect(KeptLog.parse(kept.get('revocations')).leftOut).toBe(overflow === undefined ? 0 : 3)
    }
  }, 60_000)
  test('is found also where the other log is not believed', async () => {
    show([revoke(1)])
    shown.set('catalog', memoryLog(signerOf('revocations'), [encodeEntry(revoke(1))]))
    const one = await follow()
    expect([one.problem?.code, found(one)]).toEqual(['log_untrusted', [digestOf(1)]])
  })
  test('keeps the marks of what was ignored', async () => {
    show([revoke(1), revoke(2)])
    const one = await follow()
    await one.markIgnored(({ envelope }) => (envelope === digestOf(1) ? digestOf(9) : undefined))
    show([revoke(1), revoke(2), revoke(3)])
    expect((await follow()).notes.map(({ ignored }) => ignored)).toEqual([digestOf(9), undefined, undefined])
  })
})

const [before, lost] = [
  [revoke(1), revoke(2)],
  [revoke(3), revoke(4), revoke(5)],
]
const restored = [...before, epoch(1), revoke(6)]

describe('a log that lost entries', () => {
  const seeAll = async (): Promise<void> => {
    show([...before, ...lost])
    expect((await follow()).problem).toBe(undefined)
  }

  test('is refused until its recovery key leads on, once, and what it said before goes on to count', async () => {
    await seeAll()
    show(before)
    expect((await follow()).problem?.code).toBe('log_rollback')
    show(restored, 'registry.test/epoch-1')
    expect((await follow()).problem?.code).toBe('log_untrusted')
    state(1, { good: before })
    const { problem, losses, notes } = await follow()
    expect(problem).toBe(undefined)
    expect(losses.map(({ code }) => code)).toEqual(['log_recovered', 'log_recovered'])
    expect(notes.map(({ envelope }) => envelope)).toEqual([1, 2, 3, 4, 5, 6].map(digestOf))
    expect(kept.get('revocations')).toMatchObject({ epoch: 1, size: 4, recovered: { lost: 3 } })
    expect(said).toHaveLength(2)
    // it goes on as any log, and says nothing again
    show([...restored, revoke(7)], 'registry.test/epoch-1')
    const after = await follow()
    expect([after.problem, after.notes.length, said.length]).toEqual([undefined, 7, 2])
    show(restored, 'registry.test/epoch-1')
    expect((await follow()).problem?.code).toBe('log_rollback')
  })
  test('has no entry that is older than the last look before', async () => {
    const [now, day, hour] = [now_s(), 86_400, 3600]
    await seeAll()
    const seen = kept.get('catalog') ?? expect.fail('nothing is kept')
    const looks = [
      { size: before.length, at: now - 10 * day },
      { size: before.length + lost.length, at: now - hour },
    ]
    kept.set('catalog', { ...seen, sightings: looks })
    const backdated = publish(now - 9 * day, '1.0.0')
    state(1, { good: before })
    show([...before, epoch(1), backdated], 'registry.test/epoch-1')
    expect((await follow()).problem).toBe(undefined)
    expect(await publishedAt(3, backdated)).toBe(now - hour)
  })
  test('costs a reader nothing who saw no more than what is good', async () => {
    show(before)
    await follow()
    show(restored, 'registry.test/epoch-1')
    state(1, { good: before })
    const { problem, losses, notes } = await follow()
    expect([problem, losses, notes.length]).toEqual([undefined, [], 3])
  })
  test('twice leads on who knows only the first key', async () => {
    state(1, { good: before })
    state(2, { good: restored })
    show([...restored, epoch(2)], 'registry.test/epoch-2')
    const { problem, notes } = await follow()
    expect([problem, notes.length, kept.get('catalog')?.epoch]).toEqual([undefined, 3, 2])
  })
  test.each<[string, Parameters<typeof state>[1], string]>([
    ['another key signed', { good: before, by: newSigner('registry.test/recovery') }, 'log_untrusted'],
    ['the log itself signed', { good: before, by: catalog }, 'log_untrusted'],
    ['is about another log', { good: before, origin: 'registry.other/catalog' }, 'log_untrusted'],
    ['names a root that was not seen at its size', { good: [...lost, ...before] }, 'log_fork'],
    ['says another epoch than it is shown as', { good: before, epoch: 2 }, 'log_recovery_invalid'],
    ['names a root that the new log does not have', { good: [...before, ...lost].slice(0, 4) }, 'log_fork'],
  ])('is refused by a statement that %s', async (_, change, code) => {
    await seeAll()
    const was = structuredClone(kept.get('catalog'))
    show(restored, 'registry.test/epoch-1')
    state(1, change)
    expect((await follow()).problem?.code).toBe(code)
    expect(kept.get('catalog')).toEqual(was)
  })
  test('is not led back by the statement of an earlier epoch', async () => {
    state(1, { good: before })
    show(restored, 'registry.test/epoch-1')
    await follow()
    const first = new Map(statements)
    state(2, { good: restored })
    show([...restored, epoch(2)], 'registry.test/epoch-2')
    await follow()
    statements = new Map(
      [...first].flatMap(([path, note]) => [
        [path, note],
        [path.replace('1', '3'), note],
      ]),
    )
    show(restored, 'registry.test/epoch-1')
    expect((await follow()).problem?.code).toBe('log_recovery_invalid')
    expect(kept.get('catalog')?.epoch).toBe(2)
  })
})
