import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import { LogList } from '../../src/domain/log.ts'
import { Identity } from '../../src/domain/node.ts'
import { startService } from '../../tools/demo/processes.ts'
import { BINARY } from '../cli/hookline.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { chainOf, Fleet, type FleetNode, statusOf, untilKept, xdpProgramOn } from './fleet.ts'

const MOST_MS = 120_000
/** With owners: the database's own user reads it. */
const copy = (from: string, to: string): void => void execFileSync('cp', ['-a', from, to])

describeAsRoot('a node whose key its registry does not know', () => {
  let fleet: Fleet
  let node: FleetNode
  const identity = (): Identity =>
    Identity.parse(JSON.parse(readFileSync(join(node.state, 'identity.json'), 'utf8')))
  const fingerprintOf = ({ privateKey }: Identity): string =>
    parsePrivateKey(privateKey).publicKey.fingerprint
  const said = (part: string): string[] => node.agent.lines.filter((line) => line.includes(part))
  const kept = (): string[] =>
    ['orders', 'proven', 'log'].flatMap((folder) => readdirSync(join(node.state, folder)))
  const untilReported = async (code: string): Promise<void> => {
    await fleet.until(node, code, ({ errors }) => errors.some((error) => error.code === code))
    // a few reports later, all of which were refused
    const from = Date.now()
    await fleet.until(node, 'later reports', ({ at }) => Date.parse(at) > from + 5000)
  }

  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    const { logs } = LogList.parse(await (await fetch(new URL('/api/v1/logs', fleet.url))).json())
    const key = logs.find(({ log }) => log === 'catalog')?.key
    node = await fleet.node('a', { policy: `${fleet.policy()}\nlog: { key: "${key}" }\n` })
    await fleet.apply('knob', node)
    await fleet.untilRuns(node, 'knob', 'acme/knob@1.0.0')
    const backup = fleet.path('backup')
    await fleet.registry.stop()
    copy(fleet.path('registry'), backup)
    await fleet.startRegistry()
    await node.agent.stop()
    const rotation = startService(BINARY, [
      ...['agent', '--rotate-key', '--state', node.state, '--trust', node.trust],
    ])
    expect(await rotation.ended).toBe(0)
    await fleet.registry.stop()
    rmSync(fleet.path('registry'), { recursive: true })
    copy(backup, fleet.path('registry'))
    await fleet.startRegistry()
  }, MOST_MS)
  afterAll(() => fleet?.close())

  test(
    'goes on with what runs, says so once, and does not join anew by itself',
    async () => {
      const before = identity()
      fleet.startAgent(node)
      await untilReported('node_unauthenticated')
      expect(statusOf(node)?.errors.map(({ code }) => code)).toEqual(['node_unauthenticated'])
      expect(said('[node_unauthenticated]')).toHaveLength(1)
      expect(said('[log_malformed]')).toEqual([])
      expect(identity()).toEqual(before)
      expect(chainOf(node).programId).toBe(xdpProgramOn(node.edge))
      await node.agent.stop()
    },
    MOST_MS,
  )

  test(
    'is not joined by a token that the registry never made, and goes on',
    async () => {
      const before = identity()
      fleet.startAgent(node, { joinToken: 'hlj_nonsense' })
      await node.agent.line((line) => line.includes('[join_token_refused]'))
      await untilReported('node_unauthenticated')
      const { nextKey: _, ...after } = identity()
      expect(after).toEqual(before)
      expect(said('[join_token_refused]')).toHaveLength(1)
      await node.agent.stop()
    },
    MOST_MS,
  )

  test(
    'joins anew by a join token once its name is free, under a new key, with all that it keeps',
    async () => {
      const [before, files, { programId }] = [identity(), kept(), chainOf(node)]
      fleet.startAgent(node, { joinToken: await fleet.joinToken() })
      await node.agent.line((line) => line.includes(`hookline node remove ${node.name}`))
      expect(identity().id).toBe(before.id)
      await fleet.hookline('node', 'remove', node.name)
      await node.agent.line((line) => line.includes('anew as'))
      await node.agent.line((line) => line.includes('registry: reachable again'))
      const after = identity()
      expect(after).toMatchObject({ name: before.name, labels: before.labels, registry: fleet.url })
      expect(after.id).not.toBe(before.id)
      expect(fingerprintOf(after)).not.toBe(fingerprintOf(before))
      expect(after.nextKey).toBe(undefined)
      expect(said(fingerprintOf(after))).toHaveLength(1)
      expect(kept()).toEqual(files)
      await fleet.until(node, 'no error', ({ errors }) => errors.length === 0)
      expect(chainOf(node).programId).toBe(programId)
      // and it is a node as before
      await fleet.publishKnob('1.1.0', 2)
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.1.0')
      await untilKept(node, 'knob')
      await node.agent.stop()
    },
    MOST_MS,
  )

  test(
    'that is known makes nothing of a token, nor of the file of one that is gone',
    async () => {
      const before = identity()
      for (const extra of [
        ['--join-token', await fleet.joinToken()],
        ['--join-token-file', fleet.path('gone')],
      ]) {
        fleet.startAgent(node, { extra })
        await fleet.until(
          node,
          'a report',
          ({ errors, chains }) => errors.length === 0 && chains.length === 1,
        )
        await node.agent.stop()
        expect(identity()).toEqual(before)
        expect(said('joined')).toEqual([])
      }
    },
    MOST_MS,
  )

  test(
    'because somebody else replaced it, joins anew with another key than that',
    async () => {
      const before = identity()
      const thief = nodeRegistry(fleet.url, { id: before.id, key: parsePrivateKey(before.privateKey) })
      await thief.changeKey(parsePrivateKey(generateKeyPair('ed25519').privateKey))
      await fleet.hookline('node', 'remove', node.name)
      fleet.startAgent(node, { joinToken: await fleet.joinToken() })
      await node.agent.line((line) => line.includes('anew as'))
      await fleet.until(node, 'no error', ({ errors }) => errors.length === 0)
      expect(fingerprintOf(identity())).not.toBe(fingerprintOf(before))
      await fleet.untilRuns(node, 'knob', 'acme/knob@1.1.0')
    },
    MOST_MS,
  )
})
