import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { BelievedRevocation, KeptLog } from '../../src/domain/kept-log.ts'
import { LogList, type LogName } from '../../src/domain/log.ts'
import type { Desired, Observed } from '../../src/domain/node.ts'
import { formatNoteKey, parseNoteKey } from '../../src/tlog/note-key.ts'
import { readRecovery, signRecovery } from '../../src/tlog/recovery.ts'
import { type LyingRegistry, startLyingRegistry } from '../../tools/demo/lying-registry.ts'
import { newSigner } from '../support/memory-log.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { startWitness, type WitnessProcess, witnessKeyFile } from '../witness/witness-process.ts'
import { Fleet, type FleetNode, statusOf, untilKept, xdpProgramOn } from './fleet.ts'

const MOST_MS = 180_000
/** With owners: the database's own user reads it. */
const copy = (from: string, to: string): void => void execFileSync('cp', ['-a', from, to])
/** What the node that obeys runs: a release of each, of which one is revoked before the restore and one after it. */
const PROGRAMS = ['acme/stays', 'acme/lost', 'acme/later'] as const
const [STAYS, LOST, LATER] = ['acme/stays@1.0.0', 'acme/lost@1.0.0', 'acme/later@1.0.0'] as const
const revoked = (ref: string): object => {
  const [program, version] = ref.split('@')
  return { kind: 'release', program, version }
}
const Failed = z.object({ error: z.object({ code: z.string() }) })

describeAsRoot('a registry that was restored from a backup', () => {
  let fleet: Fleet
  let witness: WitnessProcess
  let recoveryKey = ''
  let node: FleetNode
  /** A node that is shown no revocation but by the log. */
  let obeying: FleetNode
  let liar: LyingRegistry

  const views = async () => LogList.parse(await (await fetch(new URL('/api/v1/logs', fleet.url))).json()).logs
  const keyOf = async (log: LogName): Promise<string> =>
    (await views()).find((one) => one.log === log)?.key ?? ''
  const keys = async (): Promise<string[]> => (await views()).map(({ key }) => key)
  const codeOf = async (...args: string[]): Promise<string | undefined> =>
    Failed.safeParse(await fleet.answer(...args)).data?.error.code
  const revoke = (ref: string): Promise<unknown> =>
    fleet.hookline('revoke', ref, '--key', fleet.publisher.path, '--reason', 'faulty', '--message', 'drops')
  /** Waits until the chain of the node that obeys has no other entries than of these releases; gives its report. */
  const untilLeft = (...releases: string[]): Promise<Observed> =>
    fleet.until(obeying, releases.join(' '), ({ chains: [chain] }) => {
      const left = chain?.entries.map(({ release }) => release).join(' ')
      return left === releases.join(' ') && chain?.programId === xdpProgramOn(obeying.edge)
    })
  const tell = (change: (keys: string[]) => string[]): void => {
    const desired = ({ keys, ...honest }: Desired): Desired => ({
      ...{ ...honest, keys: change(keys), revocations: [] },
    })
    liar.tell({ desired, blobs: new Map() })
  }
  const followed = (): KeptLog =>
    KeptLog.parse(JSON.parse(readFileSync(join(obeying.state, 'log', 'revocations.json'), 'utf8')))
  const errors = () => statusOf(node)?.errors.map(({ code }) => code) ?? []
  let firstKeys: string[] = []
  const recover = (out: string, ...args: string[]): string[] => [
    ...['log', 'recover', '--key', fleet.path('recovery.pem'), '--name', 'test/recovery'],
    ...['--log-key', firstKeys[0] ?? '', '--out', fleet.path(out), ...args],
  ]

  beforeAll(async () => {
    fleet = await Fleet.start()
    firstKeys = await keys()
    await fleet.hookline('keygen', '--algorithm', 'ed25519', '--out', fleet.path('recovery'))
    recoveryKey = z
      .object({ key: z.string() })
      .parse(
        await fleet.hookline(
          ...['log', 'recovery-key', '--key', fleet.path('recovery.pem'), '--name', 'test/recovery'],
        ),
      ).key
    witness = await startWitness(await witnessKeyFile(fleet.dir), firstKeys, fleet.path('w'), {
      ...{ name: 'test/w', recoveryKeys: [recoveryKey] },
    })
    fleet.cleanup.add('witness', async () => void (await witness.end('SIGKILL')))
    process.env['HOOKLINE_LOG_WITNESSES'] = `${witness.url} ${formatNoteKey(witness.key)}`
    process.env['HOOKLINE_LOG_RECOVERY_KEY'] = recoveryKey
    await fleet.registry.stop()
    await fleet.startRegistry()
    const log = `{ key: "${await keyOf('catalog')}", recovery: "${recoveryKey}", witnesses: { threshold: 1, keys: ["${formatNoteKey(witness.key)}"] } }`
    await fleet.publishKnob('1.0.0')
    const policy = `${fleet.policy()}\nlog: ${log}\n`
    node = await fleet.node('r', { policy })
    await fleet.apply('knob', node)
    await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
    for (const [at, program] of PROGRAMS.entries()) await fleet.publishKnob('1.0.0', at + 20, program)
    liar = await startLyingRegistry(fleet.url)
    fleet.cleanup.add('liar', () => liar.close())
    tell((keys) => keys)
    obeying = await fleet.node('o', { policy, url: liar.url })
    const instances = PROGRAMS.map((program) => ({ use: `${program}@^1.0` }))
    await fleet.apply('obeying', obeying, { onRevoke: 'detach', instances })
    await fleet.untilRuns(obeying, 'obeying', STAYS, LOST, LATER)
  }, MOST_MS)
  afterAll(async () => {
    delete process.env['HOOKLINE_LOG_WITNESSES']
    delete process.env['HOOKLINE_LOG_RECOVERY_KEY']
    await fleet?.close()
  })

  test(
    'is refused by its node, witness and auditor, until the ceremony leads them on',
    async () => {
      const data = fleet.path('registry')
      await fleet.registry.stop()
      copy(data, fleet.path('backup'))
      await fleet.startRegistry()
      for (const [at, version] of ['1.1.0', '1.2.0', '1.3.0'].entries())
        await fleet.publishKnob(version, at + 2)
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.3.0')
      await untilKept(obeying, 'obeying')
      await revoke(LOST)
      await untilLeft(STAYS, LATER)
      await fleet.hookline('log', 'verify', '--log-key', firstKeys[0] ?? '')
      await fleet.registry.stop()
      rmSync(data, { recursive: true })
      copy(fleet.path('backup'), data)
      await fleet.startRegistry()

      // a version that nobody saw, in a log that is shorter than what they saw
      await fleet.publishKnob('1.4.0', 9)
      await fleet.untilRefused(node, 'knob', 'log_rollback')
      expect(xdpProgramOn(node.edge)).not.toBe(undefined)
      expect(await codeOf('log', 'verify')).toBe('log_rollback')
      expect((await views())[0]?.witnesses[0]?.signedAt).toBe(undefined)

      // the whole of the restored log is good, as far as anybody can tell
      const badly = newSigner('test/recovery')
      await fleet.hookline(
        ...recover('statements.json', '--state', fleet.path('none.json'), '--nothing-lost'),
      )
      const statements = z
        .record(z.string(), z.string())
        .parse(JSON.parse(readFileSync(fleet.path('statements.json'), 'utf8')))
      const post = async (sent: Record<string, string>): Promise<string | undefined> => {
        const file = fleet.path('sent.json')
        writeFileSync(file, JSON.stringify(sent))
        const answer = await fetch(new URL('/api/v1/logs/recovery', fleet.url), {
          ...{ method: 'POST', body: JSON.stringify(sent) },
          headers: { 'content-type': 'application/json', authorization: `Bearer ${fleet.token}` },
        })
        return z
          .object({ code: z.string().optional() })
          .loose()
          .parse(await answer.json()).code
      }
      const forged = Object.fromEntries(
        Object.entries(statements).map(([log, note]) => [log, signRecovery(readRecovery(note), badly)]),
      )
      expect(await post(forged)).toBe('log_untrusted')
      expect(await post(statements)).toBe(undefined) // the same again changes nothing
      expect((await views()).map(({ epoch }) => epoch)).toEqual([1, 1])

      // the witness, which knows the recovery key, goes over with the registry
      const chain = await fleet.untilRuns(node, 'knob', 'acme/knob@1.4.0')
      expect(chain.programId).toBe(xdpProgramOn(node.edge))
      await fleet.until(node, 'the report', () => errors().includes('log_recovered'))
      expect(node.agent.lines.filter((line) => line.includes('by its recovery key'))).toHaveLength(2)
      await fleet.publishKnob('1.5.0', 10)
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.5.0')

      // so does the auditor who names the recovery key, and from then on without
      expect(await codeOf('log', 'verify')).toBe('log_untrusted')
      const byOwnKey = await codeOf('log', 'verify', '--recovery-key', firstKeys[0] ?? '')
      expect(byOwnKey).toBe('log_key_invalid')
      const byAnother = await codeOf('log', 'verify', '--recovery-key', formatNoteKey(badly.key))
      expect(byAnother).toBe('log_untrusted')
      await fleet.hookline('log', 'verify', '--recovery-key', recoveryKey)
      await fleet.hookline('log', 'verify', '--log-key', firstKeys[0] ?? '')

      // what led here once leads nowhere again, and a log that is good cannot be named otherwise
      const [{ key = '' } = {}] = await views()
      expect(parseNoteKey(key).name).toMatch(/\/epoch-1\/catalog$/)
      const stale = Object.fromEntries(
        Object.entries(statements).map(([log, note]) => [
          log,
          `${note.trimEnd()}\n`.replace('\n1\n', '\n2\n'),
        ]),
      )
      expect(await post(stale)).toBe('log_untrusted')
    },
    MOST_MS,
  )

  test(
    'does not undo a revocation that it lost where it was seen, not for an agent that starts anew either',
    async () => {
      const offered = new URL('/api/v1/programs/acme/lost/versions/1.0.0', fleet.url)
      expect(await (await fetch(offered)).json()).not.toHaveProperty('revoked')
      tell((keys) => keys.toReversed()) // some change, for which it looks at the logs
      await expect.poll(() => followed().epoch, { timeout: 20_000 }).toBe(1)
      expect(followed()).toMatchObject({ recovered: { lost: 1 }, notes: [{ revoked: revoked(LOST) }] })
      const [{ programId } = {}] = (await untilLeft(STAYS, LATER)).chains
      await obeying.agent.stop()
      fleet.startAgent(obeying, { url: liar.url })
      const { chains, functions, revocations } = await untilLeft(STAYS, LATER)
      expect(chains).toMatchObject([{ programId }])
      expect(functions).toMatchObject([{ name: 'obeying', error: { code: 'release_revoked' } }])
      expect(revocations).toMatchObject({ believed: 1, ignored: 0 })

      // whoever has it hands it in again: it is in the new log, and nothing else to the node
      const [kept = ''] = readdirSync(join(obeying.state, 'revocations'))
      const { envelope } = BelievedRevocation.parse(
        JSON.parse(readFileSync(join(obeying.state, 'revocations', kept), 'utf8')),
      )
      const again = await fetch(new URL('/api/v1/revocations', fleet.url), {
        ...{ method: 'POST', body: JSON.stringify({ envelope }) },
        headers: { 'content-type': 'application/json', authorization: `Bearer ${fleet.token}` },
      })
      expect(again.status).toBe(201)
      expect(await (await fetch(offered)).json()).toHaveProperty('revoked')
      const { size = 0 } = (await views()).find(({ log }) => log === 'revocations') ?? {}
      await expect.poll(() => followed().size, { timeout: 20_000 }).toBe(size)
      const seen = Date.now()
      const later = await fleet.until(obeying, 'a later report', ({ at }) => Date.parse(at) > seen)
      expect(later).toMatchObject({ chains: [{ programId }], revocations: { believed: 1, ignored: 0 } })
      expect(later.errors.map(({ code }) => code)).toEqual(['log_recovered', 'log_recovered'])
    },
    MOST_MS,
  )

  test(
    'has what is revoked from then on leave the chains, by its new log',
    async () => {
      const before = followed()
      await revoke(LATER)
      const { revocations } = await untilLeft(STAYS)
      expect(revocations).toMatchObject({ believed: 2, ignored: 0 })
      const { key, goesOnAs = '', epoch, size, notes } = followed()
      expect([key, epoch, size]).toEqual([firstKeys[1], 1, before.size + 1])
      expect(parseNoteKey(goesOnAs).name).toMatch(/\/epoch-1\/revocations$/)
      expect(notes.at(-1)).toMatchObject({ revoked: revoked(LATER) })
      await fleet.hookline('log', 'verify', '--log-key', firstKeys[0] ?? '')
    },
    MOST_MS,
  )
})
