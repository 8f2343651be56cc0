import { writeFileSync } from 'node:fs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { parse, stringify } from 'yaml'
import { registryClient } from '../../src/client/registry-client.ts'
import { LogList } from '../../src/domain/log.ts'
import type { Desired } from '../../src/domain/node.ts'
import { type LyingRegistry, startLyingRegistry } from '../../tools/demo/lying-registry.ts'
import { hookline } from '../cli/hookline.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import {
  chainOf,
  Fleet,
  type FleetNode,
  type KeyFile,
  stateOf,
  statusOf,
  untilKept,
  xdpProgramOn,
} from './fleet.ts'

const MOST_MS = 120_000

describeAsRoot('a node that follows the log', () => {
  let fleet: Fleet
  let liar: LyingRegistry
  let key = ''
  let owner: KeyFile
  beforeAll(async () => {
    fleet = await Fleet.start()
    owner = await fleet.key('owner')
    const [file, out] = [fleet.path('owned.yaml'), fleet.path('owned.json')]
    const rules = parse(fleet.policy())
    writeFileSync(file, stringify({ kind: 'policy', name: 'owned', selector: {}, ...rules }))
    await fleet.hookline('trust', 'sign', file, '--revision', '1', '--key', owner.path, '--out', out)
    await fleet.hookline('trust', 'push', out, '--public-key', owner.publicPath)
    liar = await startLyingRegistry(fleet.url)
    fleet.cleanup.add('liar', () => liar.close())
    const answer = await fetch(new URL('/api/v1/logs', fleet.url))
    key = LogList.parse(await answer.json()).logs.find(({ log }) => log === 'catalog')?.key ?? ''
  })
  afterEach(() => liar.tell(undefined))
  afterAll(() => fleet?.close())

  const policy = (log = ''): string => `${fleet.policy()}\nlog: { key: "${key}"${log} }\n`
  /** Whose rules count at a node: those of its trust.yaml, or those of the owners that it names. */
  const WHOSE = ['own', 'owned'] as const
  const policyOf = (whose: (typeof WHOSE)[number]): string =>
    whose === 'own' ? policy() : `owners: [{ key: "${owner.key.fingerprint}" }]\nlog: { key: "${key}" }\n`
  const use = (program: string, onRevoke = 'detach') => ({
    ...{ onRevoke, instances: [{ use: `${program}@^1.0` }] },
  })
  const revoke = (ref: string): Promise<unknown> =>
    fleet.hookline(
      ...['revoke', ref, '--key', fleet.publisher.path, '--reason', 'faulty', '--message', 'drops too much'],
    )
  const errorsOf = (node: FleetNode): string[] => statusOf(node)?.errors.map(({ code }) => code) ?? []
  const checkpoint = async (log: string): Promise<Buffer> =>
    Buffer.from(await (await fetch(new URL(`/log/${log}/checkpoint`, fleet.url))).arrayBuffer())

  test.each(WHOSE)(
    'finds by its %s rules what is withheld from it, and what it found survives a reboot without a registry',
    async (whose) => {
      const program = `acme/hidden-${whose}`
      await fleet.publishKnob('1.0.0', 1, program)
      const node = await fleet.node(`h-${whose}`, { url: liar.url, policy: policyOf(whose) })
      await fleet.apply(`hidden-${whose}`, node, use(program))
      await fleet.untilRuns(node, `hidden-${whose}`, `${program}@1.0.0`)
      await untilKept(node, `hidden-${whose}`)
      let honest: Desired | undefined
      // from now on the node is told what was true before
      liar.tell({
        desired: (now) => {
          honest ??= now
          return { ...honest, keys: [...honest.keys].sort() }
        },
        blobs: new Map(),
      })
      await expect.poll(() => honest, { timeout: 20_000 }).toBeDefined()
      await revoke(`${program}@1.0.0`)
      fleet.startAgent(await stopped(node), { url: liar.url }) // it looks at the log when it starts, else within a minute
      await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).toBe(undefined)
      await fleet.untilRefused(node, `hidden-${whose}`, 'release_revoked')
      await stopped(node)
      fleet.startAgent(node, { url: 'http://127.0.0.1:1' })
      await fleet.until(node, 'a start without a registry', ({ functions }) =>
        functions.some(({ withdrawn }) => withdrawn?.[0]?.action === 'detach'),
      )
      expect(xdpProgramOn(node.edge)).toBe(undefined)
      liar.tell(undefined)
    },
    MOST_MS,
  )
  test(
    'goes back to what it ran before, from what it kept, where its registry offers nothing else',
    async () => {
      for (const [at, version] of ['1.0.0', '1.1.0'].entries()) {
        await fleet.publishKnob(version, at + 1, 'acme/kept')
        if (at > 0) continue
        const node = await fleet.node('b', { url: liar.url, policy: policy() })
        await fleet.apply('kept', node, use('acme/kept', 'previous'))
        await fleet.untilRuns(node, 'kept', 'acme/kept@1.0.0')
        await untilKept(node, 'kept')
        kept = node
      }
      const node = kept ?? expect.fail('no node')
      await fleet.untilRuns(node, 'kept', 'acme/kept@1.1.0')
      await untilKept(node, 'kept')
      const { programId } = chainOf(node)
      let honest: Desired | undefined
      liar.tell({
        desired: (now) => {
          honest ??= now
          return honest
        },
        blobs: new Map(),
      })
      await expect.poll(() => honest, { timeout: 20_000 }).toBeDefined()
      await revoke('acme/kept@1.1.0')
      fleet.startAgent(await stopped(node), { url: liar.url })
      await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).not.toBe(programId)
      const { chains } = await fleet.until(
        node,
        'what ran before',
        ({ revocations }) => revocations?.previous === 1,
      )
      expect(chains[0]?.entries.map(({ release }) => release)).toEqual(['acme/kept@1.0.0'])
      expect(statusOf(node)?.functions[0]?.error?.code).toBe('release_revoked')
      liar.tell(undefined)
      await fleet.untilRuns(node, 'kept', 'acme/kept@1.0.0')
    },
    MOST_MS,
  )
  let kept: FleetNode | undefined
  async function stopped(node: FleetNode): Promise<FleetNode> {
    await node.agent.stop()
    return node
  }

  test(
    'counts the age of a release from what the log signed, whatever the registry says',
    async () => {
      await fleet.publishKnob('1.0.0', 1, 'acme/aged')
      const node = await fleet.node('a', {
        url: liar.url,
        policy: policy().replace('match: "acme/*"', 'match: "acme/*", minAge: 1h'),
      })
      await fleet.apply('aged', node, use('acme/aged'))
      await fleet.untilRefused(node, 'aged', 'too_young')
      const older = (text: string): string =>
        text.replace(/"at":(\d+)/, (_, at) => `"at":${Number(at) - 86_400}`)
      liar.tell({
        desired: (honest) => ({
          ...honest,
          releases: honest.releases.map((release) => ({
            ...release,
            ...(release.logged && {
              logged: { ...release.logged, entry: older(release.logged.entry) },
            }),
          })),
        }),
        blobs: new Map(),
      })
      await fleet.untilRefused(node, 'aged', 'log_proof_invalid')
      expect(xdpProgramOn(node.edge)).toBe(undefined)
      liar.tell(undefined)
      await fleet.untilRefused(node, 'aged', 'too_young')
    },
    MOST_MS,
  )

  describe('whose registry lies about the log', () => {
    let node: FleetNode
    beforeAll(async () => {
      liar.tell(undefined)
      await fleet.publishKnob('1.0.0', 1, 'acme/logged')
      node = await fleet.node('l', { url: liar.url, policy: policy() })
      await fleet.apply('logged', node, use('acme/logged'))
      await fleet.untilRuns(node, 'logged', 'acme/logged@1.0.0')
    }, MOST_MS)

    const withRelease =
      (change: (release: Desired['releases'][number]) => Desired['releases'][number]) =>
      (honest: Desired): Desired => ({ ...honest, releases: honest.releases.map(change) })

    test.each<[string, (honest: Desired) => Desired]>([
      ['does not say where', withRelease(({ logged: _, ...release }) => release)],
      [
        'names the entry of another release',
        withRelease((release) => ({
          ...release,
          ...(release.logged && {
            logged: {
              ...release.logged,
              entry: release.logged.entry.replace('acme/logged', 'acme/hidden-own'),
            },
          }),
        })),
      ],
    ])('a release is refused that it %s', async (_, lie) => {
      const before = xdpProgramOn(node.edge)
      liar.tell({ desired: lie, blobs: new Map() })
      await fleet.untilRefused(node, 'logged', 'not_logged')
      expect(xdpProgramOn(node.edge)).toBe(before)
      liar.tell(undefined)
      await fleet.until(node, 'the truth', (observed) => stateOf(observed, 'logged') === 'running')
    })
    test(
      'what is new is refused from a log that is shorter than it was, altered, or not its own, and what runs goes on',
      async () => {
        const before = xdpProgramOn(node.edge)
        const old = await checkpoint('catalog')
        await fleet.publishKnob('1.1.0', 2, 'acme/logged')
        await fleet.untilRuns(node, 'logged', 'acme/logged@1.1.0')
        const running = chainOf(node)
        expect(running.programId).not.toBe(before)
        const now = await checkpoint('catalog')
        const altered = Buffer.from(now.toString().replace(/^\d+$/m, (size) => String(Number(size) + 1)))
        for (const [at, [shown, code]] of (
          [
            [old, 'log_rollback'],
            [altered, 'log_untrusted'],
            [await checkpoint('revocations'), 'log_untrusted'],
          ] as const
        ).entries()) {
          // the log is only asked when there is something to ask about
          liar.tell({ desired: (honest) => honest, blobs: new Map([['/log/catalog/checkpoint', shown]]) })
          await fleet.publishKnob(`1.2.${at}`, 10 + at, 'acme/logged')
          await fleet.untilRefused(node, 'logged', code)
          expect(errorsOf(node)).toContain(code)
          expect(xdpProgramOn(node.edge)).toBe(chainOf(node).programId)
          liar.tell(undefined)
          await fleet.untilRuns(node, 'logged', `acme/logged@1.2.${at}`)
        }
      },
      MOST_MS,
    )
  })

  test.each(WHOSE)(
    'by its %s rules loads nothing anew of which the log notes a revocation that nobody shows, and reports it',
    async (whose) => {
      const [name, program] = [`mute-${whose}`, `acme/mute-${whose}`]
      await fleet.publishKnob('1.0.0', 1, program)
      const node = await fleet.node(`m-${whose}`, { url: liar.url, policy: policyOf(whose) })
      await fleet.apply(name, node, use(program))
      await fleet.untilRuns(node, name, `${program}@1.0.0`)
      await untilKept(node, name)
      const { programId } = chainOf(node)
      let honest: Desired | undefined
      liar.tell({
        desired: (shown) => {
          if (shown.releases.some((release) => release.program === program)) honest ??= shown // other nodes ask, too
          return honest ?? shown
        },
        blobs: new Map(),
      })
      await expect.poll(() => honest, { timeout: 20_000 }).toBeDefined()
      const { resolutions, releases, keys } = honest ?? expect.fail('nothing was sent')
      await revoke(`${program}@1.0.0`)
      const [view = expect.fail('none')] = await registryClient(fleet.url, undefined).revocations(program)
      /** New orders reach the node, what was revoked is offered as before, and this is shown as the revocation. */
      const show = (revocation: object): void =>
        liar.tell({
          desired: (now) => ({ ...now, resolutions, releases, keys, revocations: [] }),
          blobs: new Map([[`/api/v1/revocations/${view.digest}`, Buffer.from(JSON.stringify(revocation))]]),
        })
      show({})
      fleet.startAgent(await stopped(node), { url: liar.url }) // it looks at the log when it starts, else within a minute
      await expect.poll(() => errorsOf(node), { timeout: 20_000 }).toContain('revocation_withheld')
      await fleet.apply(name, node, { instances: [{ use: `${program}@^1.0`, config: { drop: 1 } }] })
      await fleet.untilRefused(node, name, 'revocation_withheld')
      expect(chainOf(node).programId).toBe(programId) // an entry by itself takes nothing down
      const verify = ['verify', '--running', '--state', node.state, '--trust', node.trust, '--json']
      const { code, stdout } = await hookline(fleet.dir, verify)
      expect([code, stdout]).toEqual([3, expect.stringContaining('revocation_withheld')])
      // nor does it help to show it without the key that the node knows from the release, or with another one
      show({ ...view, key: owner.key.publicKey.spki.toString('base64') })
      fleet.startAgent(await stopped(node), { url: liar.url })
      await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).toBe(undefined)
      await fleet.untilRefused(node, name, 'release_revoked')
      await stopped(node)
    },
    MOST_MS,
  )

  test.each(['keep', 'revoke'] as const)(
    'and hears nothing of it for too long does as onStale: %s says',
    async (onStale) => {
      const program = `acme/${onStale}`
      await fleet.publishKnob('1.0.0', 1, program)
      await fleet.publishKnob('1.0.0', 1, `acme/noise-${onStale}`)
      await revoke(`acme/noise-${onStale}@1.0.0`) // signs both logs anew
      const node = await fleet.node(onStale, { policy: policy(`, maxAge: 15s, onStale: ${onStale}`) })
      await fleet.apply(onStale, node, use(program))
      await fleet.untilRuns(node, onStale, `${program}@1.0.0`)
      await untilKept(node, onStale)
      const before = xdpProgramOn(node.edge)
      await expect.poll(() => errorsOf(node), { timeout: 40_000 }).toContain('log_stale')
      if (onStale === 'keep') {
        expect(xdpProgramOn(node.edge)).toBe(before)
        return
      }
      await expect.poll(() => xdpProgramOn(node.edge), { timeout: 20_000 }).toBe(undefined)
      await fleet.publishKnob('1.0.1', 1, `acme/noise-${onStale}`)
      await revoke(`acme/noise-${onStale}@1.0.1`)
      await fleet.untilRuns(node, onStale, `${program}@1.0.0`)
    },
    MOST_MS,
  )
})
