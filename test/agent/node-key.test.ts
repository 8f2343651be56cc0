import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { signRequest } from '../../src/attest/http-signature.ts'
import { generateKeyPair, parsePrivateKey } from '../../src/attest/keys.ts'
import { offerNodeKey } from '../../src/attest/node-key.ts'
import { nodeRegistry } from '../../src/client/node-registry.ts'
import { Identity } from '../../src/domain/node.ts'
import { startService } from '../../tools/demo/processes.ts'
import { BINARY } from '../cli/hookline.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { Fleet, type FleetNode } from './fleet.ts'

describeAsRoot('the key of a node', () => {
  let fleet: Fleet
  let node: FleetNode
  beforeAll(async () => {
    fleet = await Fleet.start()
    node = await fleet.node('a')
  })
  afterAll(() => fleet?.close())
  beforeEach(() => node.agent.stop())

  const path = (): string => join(node.state, 'identity.json')
  const identity = (): Identity => Identity.parse(JSON.parse(readFileSync(path(), 'utf8')))
  const write = (changed: Identity): void => writeFileSync(path(), JSON.stringify(changed))
  const asNode = ({ id, privateKey }: Identity) =>
    nodeRegistry(fleet.url, { id, key: parsePrivateKey(privateKey) })
  const desired = (who: Identity) => asNode(who).desired(undefined, 0, new AbortController().signal)

  /** Offers a key in the name of the node, and goes no further. */
  async function offer({ id, privateKey }: Identity, nextKey: string): Promise<void> {
    const key = parsePrivateKey(privateKey)
    const path = `/api/v1/nodes/${id}/key`
    const text = JSON.stringify(offerNodeKey(id, key.publicKey.fingerprint, parsePrivateKey(nextKey)))
    const signed = signRequest({ method: 'POST', path, body: Buffer.from(text), keyId: id }, key)
    const headers = { ...signed, 'content-type': 'application/json' }
    const answer = await fetch(fleet.url + path, { method: 'POST', headers, body: text })
    expect(answer.status).toBe(204)
  }

  /** Waits until the agent has replaced its key, and works with it. */
  async function untilReplaced(before: Identity): Promise<void> {
    await node.agent.line((line) => line.includes('has a new key'))
    await fleet.until(node, 'a report', ({ errors }) => errors.length === 0)
    expect(identity()).toMatchObject({ id: before.id, name: before.name })
    expect(identity().nextKey).toBeUndefined()
    expect(identity().privateKey).not.toBe(before.privateKey)
    await desired(identity())
  }

  test('is replaced by --rotate-key; who stole the old one is refused', async () => {
    const before = identity()
    const rotation = startService(BINARY, [
      'agent',
      '--rotate-key',
      '--state',
      node.state,
      '--trust',
      node.trust,
    ])
    expect(await rotation.ended).toBe(0)
    const after = identity()
    expect(rotation.lines.join(' ')).toContain(parsePrivateKey(after.privateKey).publicKey.fingerprint)
    await expect(desired(before)).rejects.toMatchObject({ code: 'node_key_retired' })
    await desired(after)
    fleet.startAgent(node)
    await fleet.until(node, 'a report', ({ errors }) => errors.length === 0)
    expect(identity()).toEqual(after)
  })
  test('is replaced by --rotate-key --json, which says so in one document', async () => {
    const args = ['agent', '--rotate-key', '--state', node.state, '--trust', node.trust, '--json']
    const rotation = startService(BINARY, args)
    expect(await rotation.ended).toBe(0)
    const { fingerprint } = parsePrivateKey(identity().privateKey).publicKey
    expect(JSON.parse(rotation.lines.join('\n'))).toEqual({ name: node.name, key: fingerprint })
  })
  test('that --rotate-key could not replace is replaced at the next start, as was said', async () => {
    const before = identity()
    const rotation = startService(BINARY, [
      ...['agent', '--rotate-key', '--state', node.state, '--trust', node.trust],
      ...['--registry', 'http://127.0.0.1:9'],
    ])
    expect(await rotation.ended).toBe(1)
    const { nextKey = '' } = identity()
    const { fingerprint } = parsePrivateKey(nextKey).publicKey
    const said = rotation.lines.join(' ')
    expect(said).toContain('[registry_unavailable]')
    expect(said).toContain(`the new key, ${fingerprint}, is kept, and offered when the agent is started`)
    fleet.startAgent(node, { extra: ['--key-age', '0'] })
    await untilReplaced(before)
    expect(identity().privateKey).toBe(nextKey)
  })
  test('is not replaced by --rotate-key while the agent runs, nor where no node has joined', async () => {
    fleet.startAgent(node)
    await fleet.until(node, 'a report', () => true)
    const before = identity()
    for (const [state, code] of [
      [node.state, 'state_in_use'],
      [fleet.path('never'), 'not_found'],
    ] as const) {
      const refused = startService(BINARY, ['agent', '--rotate-key', '--state', state, '--trust', node.trust])
      expect(await refused.ended).not.toBe(0)
      expect(refused.lines.join(' ')).toContain(`[${code}]`)
    }
    expect(identity()).toEqual(before)
  })
  test('is replaced by the agent when it is old enough, or its age is not known', async () => {
    for (const keySince of [new Date(Date.now() - 91 * 86_400_000).toISOString(), undefined]) {
      const { keySince: _, ...before } = identity()
      write(keySince === undefined ? before : { ...before, keySince })
      fleet.startAgent(node)
      await untilReplaced(before)
      await node.agent.stop()
    }
  })
  test('is kept when it is younger, or never to be replaced', async () => {
    const old = { ...identity(), keySince: new Date(Date.now() - 89 * 86_400_000).toISOString() }
    write(old)
    for (const extra of [[], ['--key-age', '0']]) {
      fleet.startAgent(node, { extra })
      await fleet.until(node, 'a report', () => true)
      await node.agent.stop()
      expect(identity()).toEqual(old)
    }
  })
  test.each(['the offer was lost', 'its answer was lost', 'the answer to the proof was lost'])(
    'is replaced after all when %s',
    async (what) => {
      const nextKey = generateKeyPair('ed25519').privateKey
      const before = { ...identity(), nextKey }
      write(before)
      if (what === 'the answer to the proof was lost')
        await asNode(before).changeKey(parsePrivateKey(nextKey))
      if (what === 'its answer was lost') await offer(before, nextKey)
      fleet.startAgent(node)
      await untilReplaced(before)
      expect(identity().privateKey).toBe(nextKey)
    },
  )
})
