import { execFileSync } from 'node:child_process'
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { z } from 'zod'
import { LogList, type LogName } from '../../src/domain/log.ts'
import { formatNoteKey, parseNoteKey } from '../../src/tlog/note-key.ts'
import { readRecovery, signRecovery } from '../../src/tlog/recovery.ts'
import { newSigner } from '../support/memory-log.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { startWitness, type WitnessProcess, witnessKeyFile } from '../witness/witness-process.ts'
import { Fleet, type FleetNode, statusOf, xdpProgramOn } from './fleet.ts'

const MOST_MS = 180_000
/** With owners: the database's own user reads it. */
const copy = (from: string, to: string): void => void execFileSync('cp', ['-a', from, to])
const Failed = z.object({ error: z.object({ code: z.string() }) })

describeAsRoot('a registry that was restored from a backup', () => {
  let fleet: Fleet
  let witness: WitnessProcess
  let recoveryKey = ''
  let node: FleetNode

  const views = async () => LogList.parse(await (await fetch(new URL('/api/v1/logs', fleet.url))).json()).logs
  const keyOf = async (log: LogName): Promise<string> =>
    (await views()).find((one) => one.log === log)?.key ?? ''
  const keys = async (): Promise<string[]> => (await views()).map(({ key }) => key)
  const codeOf = async (...args: string[]): Promise<string | undefined> =>
    Failed.safeParse(await fleet.answer(...args)).data?.error.code
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
    node = await fleet.node('r', { policy: `${fleet.policy()}\nlog: ${log}\n` })
    await fleet.apply('knob', node)
    await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
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
      await fleet.hookline(...recover('statements.json', '--state', fleet.path('none.json')))
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
})
