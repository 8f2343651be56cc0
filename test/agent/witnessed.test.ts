import { afterAll, beforeAll, expect, test } from 'vitest'
import { LogList } from '../../src/domain/log.ts'
import { formatNoteKey } from '../../src/tlog/note-key.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { startWitness, type WitnessProcess, witnessKeyFile } from '../witness/witness-process.ts'
import { Fleet, type FleetNode, statusOf, xdpProgramOn } from './fleet.ts'

const MOST_MS = 120_000

describeAsRoot('a node that asks for all witnesses', () => {
  let fleet: Fleet
  let node: FleetNode
  const witnesses: WitnessProcess[] = []
  /** Every code that the node showed, in its status file or on its console. */
  const shown = new Set<string>()
  let looking: NodeJS.Timeout

  beforeAll(async () => {
    fleet = await Fleet.start()
    const { logs } = LogList.parse(await (await fetch(new URL('/api/v1/logs', fleet.url))).json())
    const keys = logs.map(({ key }) => key)
    for (const name of ['a', 'b']) {
      const file = await witnessKeyFile(fleet.dir, name)
      const witness = await startWitness(file, keys, fleet.path(`w-${name}`), { name: `test/${name}` })
      witnesses.push(witness)
      fleet.cleanup.add('witness', async () => void (await witness.end('SIGKILL')))
    }
    process.env['HOOKLINE_LOG_WITNESSES'] = witnesses
      .map(({ url, key }) => `${url} ${formatNoteKey(key)}`)
      .join(',')
    await fleet.registry.stop()
    await fleet.startRegistry()
    await fleet.publishKnob('1.0.0')
    const wanted = witnesses.map(({ key }) => `"${formatNoteKey(key)}"`).join(', ')
    const catalog = logs.find(({ log }) => log === 'catalog')?.key
    const policy = `log: { key: "${catalog}", witnesses: { threshold: 2, keys: [${wanted}] } }`
    node = await fleet.node('w', { policy: `${fleet.policy()}\n${policy}\n` })
    looking = setInterval(() => {
      const { errors = [], functions = [] } = statusOf(node) ?? {}
      for (const { code } of errors) shown.add(code)
      for (const { error } of functions) if (error !== undefined) shown.add(error.code)
    }, 5)
    await fleet.apply('knob', node, { onRevoke: 'previous' })
    await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
  }, MOST_MS)
  afterAll(async () => {
    clearInterval(looking)
    delete process.env['HOOKLINE_LOG_WITNESSES']
    await fleet?.close()
  })

  test(
    'runs what is published, and hears of what is revoked within a second, without one error',
    async () => {
      for (let minor = 1; minor <= 5; minor++) {
        await fleet.publishKnob(`1.${minor}.0`, minor + 1)
        if (minor % 2 === 1) await fleet.untilRuns(node, 'knob', `acme/knob@1.${minor}.0`)
      }
      expect([...shown].filter((code) => code !== 'release_revoked')).toEqual([])
      const before = xdpProgramOn(node.edge)
      const args = ['--key', fleet.publisher.path, '--reason', 'faulty', '--message', 'no']
      const began = performance.now()
      await fleet.hookline('revoke', 'acme/knob@1.5.0', ...args)
      await expect.poll(() => xdpProgramOn(node.edge), { timeout: 5000, interval: 10 }).not.toBe(before)
      expect(performance.now() - began).toBeLessThan(1000)
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.4.0')
      expect([...shown].filter((code) => code !== 'release_revoked')).toEqual([])
      expect(node.agent.lines.filter((line) => line.startsWith('log:'))).toEqual([])
    },
    MOST_MS,
  )
  test(
    'loads nothing new while one of them is away, and does once it is back',
    async () => {
      const [, away = expect.fail('no witness')] = witnesses
      await away.end('SIGKILL')
      await fleet.publishKnob('1.6.0', 20)
      await fleet.untilRefused(node, 'knob', 'witnesses_missing')
      const { logs } = LogList.parse(await (await fetch(new URL('/api/v1/logs', fleet.url))).json())
      const back = await startWitness(
        fleet.path('b.pem'),
        logs.map(({ key }) => key),
        fleet.path('w-b'),
        { name: 'test/b', port: Number(new URL(away.url).port) },
      )
      fleet.cleanup.add('witness that is back', async () => void (await back.end('SIGKILL')))
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.6.0')
    },
    MOST_MS,
  )
})
