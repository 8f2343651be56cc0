import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { LogList } from '../../src/domain/log.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { updateLink } from '../../src/kernel/bpf-link.ts'
import { loadXdpProgram } from '../../src/kernel/bpf-program.ts'
import { pin, requirePin } from '../../src/kernel/bpffs.ts'
import { verdict } from '../bytecode/assembler.ts'
import { hookline } from '../cli/hookline.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { chainOf, Fleet, type FleetNode, KNOB_MANIFEST, untilKept } from './fleet.ts'
import { compile } from './held-release.ts'
import { type Answer, answerOf, verifyRunning, wrong, wrongFunctions } from './running-answer.ts'

const MOST_MS = 120_000

describeAsRoot('verifying what a node runs', () => {
  let fleet: Fleet
  let node: FleetNode
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    await fleet.publishKnob('2.0.0', 2)
    const answer = await fetch(new URL('/api/v1/logs', fleet.url))
    const key = LogList.parse(await answer.json()).logs.find(({ log }) => log === 'catalog')?.key ?? ''
    node = await fleet.node('run', { policy: `${fleet.policy()}\nlog: { key: "${key}" }\n` })
    await fleet.apply('edge', node, {
      instances: [
        { use: 'acme/knob@^1.0', name: 'first' },
        { use: 'acme/knob@^2.0', name: 'second', config: { drop: 1 } },
      ],
    })
    await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0', 'acme/knob@2.0.0')
  }, MOST_MS)
  afterAll(() => fleet?.close())

  const run = (...more: string[]) => verifyRunning(fleet, node, ...more)
  const answer = (code: number, ...more: string[]): Promise<Answer> => answerOf(fleet, node, code, ...more)
  const folder = (): string => {
    const root = join('/sys/fs/bpf/hookline', node.name)
    const [name = ''] = readdirSync(root).filter((one) => one.endsWith('-xdp'))
    return join(root, name)
  }
  const other = () => loadXdpProgram({ name: 'other', code: verdict(2), license: 'GPL', flags: 0 })

  test(
    'finds its signers, its place in the log and its tag, beside an agent that runs',
    async () => {
      await untilKept(node, 'edge')
      const { programId, programTag } = chainOf(node)
      const found = await answer(0)
      expect([wrong(found), wrongFunctions(found), found.others]).toEqual([[], [], []])
      expect(found).toMatchObject({
        holds: true,
        chains: [
          {
            ...{ hook: 'xdp', interface: 'eth0', generation: 1, programId, problems: [] },
            programs: [{ programId, tag: programTag, madeTag: programTag }],
            entries: [
              { release: 'acme/knob@1.0.0', signers: [fleet.publisher.key.fingerprint] },
              { release: 'acme/knob@2.0.0', signers: [fleet.publisher.key.fingerprint] },
            ],
          },
        ],
      })
      const places = found.chains[0]?.entries.map(({ logged }) => logged?.index ?? -1) ?? []
      expect(places[1]).toBeGreaterThan(places[0] ?? -1)
      expect(places[0]).toBeGreaterThanOrEqual(0)
      const { stdout, code } = await run()
      expect(code).toBe(0)
      expect(stdout).toContain(`matches: ${programTag}`)
      expect(stdout).toContain('1 chain: what is attached is what signed releases make, as ordered')
    },
    MOST_MS,
  )

  test(
    'tells what was exchanged: the program in the link, and that of the pinned generation',
    async () => {
      await node.agent.stop()
      const path = join(folder(), 'gen-1', 'program')
      using link = requirePin(join(folder(), 'link'))
      using ours = requirePin(path)
      using theirs = other()
      updateLink(link, theirs, ours)
      const attached = await answer(3)
      expect(wrong(attached)).toEqual(['running_unknown'])
      expect(attached.chains[0]).toMatchObject({ programId: programInfo(theirs).id, entries: [] })

      // the pin exchanged as well: only what it is made of is left to tell it by
      rmSync(path)
      pin(theirs, path)
      const pinned = await answer(3)
      expect(wrong(pinned)).toEqual(['running_differs'])
      expect(pinned.chains[0]?.programs?.[0]).toMatchObject({
        tag: programInfo(theirs).tag,
        madeTag: programInfo(ours).tag,
      })
      const { stdout, code } = await run()
      expect(code).toBe(3)
      expect(stdout).toContain('[running_differs]')

      // the link as it was, under an exchanged pin
      updateLink(link, ours, theirs)
      expect(wrong(await answer(3))).toEqual(['running_unknown'])
      rmSync(path)
      pin(ours, path)
      expect(wrong(await answer(0))).toEqual([])
    },
    MOST_MS,
  )

  test(
    'tells kept bytes that were changed, and such as are gone',
    async () => {
      const { object = '' } = chainOf(node).entries[1] ?? {}
      const path = join(node.state, 'objects', object.slice('sha256:'.length))
      const bytes = readFileSync(path)
      const changed = Buffer.from(bytes)
      changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
      writeFileSync(path, changed)
      const found = await answer(3)
      expect(wrong(found)).toEqual(['running_unverified: digest_mismatch'])
      expect(found.chains[0]?.programs).toBeUndefined()
      expect(found.chains[0]?.entries[0]?.problem).toBeUndefined()
      rmSync(path)
      expect(wrong(await answer(3))).toEqual(['running_unverified: file_unreadable'])
      writeFileSync(path, bytes)
      expect(wrong(await answer(0))).toEqual([])
    },
    MOST_MS,
  )

  test(
    'goes by the policy in force: signers, operators, the log',
    async () => {
      const policy = readFileSync(node.trust, 'utf8')
      const stranger = await fleet.key('stranger')
      const under = async (text: string): Promise<string[]> => {
        const path = fleet.path('other-trust.yaml')
        writeFileSync(path, text)
        return wrong(await answer(3, '--trust', path))
      }
      const both = (cause: string): string[] => Array(2).fill(`running_unverified: ${cause}`)
      const [publisher, operator] = [fleet.publisher.key.fingerprint, fleet.operator.key.fingerprint]
      const replaced = (from: string): string => policy.replaceAll(from, stranger.key.fingerprint)
      expect(await under(replaced(publisher))).toEqual(both('signer_not_allowed'))
      expect(await under(replaced(operator))).toEqual(both('operator_not_allowed'))
      expect(await under(policy.replaceAll('acme/*', 'other/*'))).toEqual(both('policy_denied'))
      // whose node never followed the log does not know of any place in it
      rmSync(join(node.state, 'log', 'catalog.json'))
      expect(wrong(await answer(3))).toEqual(both('not_logged'))
      writeFileSync(node.trust, fleet.policy())
      expect(wrong(await answer(0))).toEqual([])
    },
    MOST_MS,
  )

  test(
    'finds the same of chains on TC',
    async () => {
      const tc = compile('SEC("tc") int tc_knob(struct __sk_buff *skb) { return 0; }') // TC_ACT_OK
      const { config: _, ...manifest } = KNOB_MANIFEST
      const programs = (['tc-ingress', 'tc-egress'] as const).map((hook) => ({
        ...{ object: 'knob.bpf.o', entry: 'tc_knob', hook },
      }))
      await fleet.publish('acme/side', '1.0.0', { 'knob.bpf.o': tc }, { ...manifest, programs })
      const side = await fleet.node('side')
      await fleet.apply('side', side, { instances: [{ use: 'acme/side@^1.0', name: 'only' }] })
      await fleet.untilRuns(side, 'side', 'acme/side@1.0.0')
      await untilKept(side, 'side')
      const found = await answerOf(fleet, side, 0)
      expect([wrong(found), wrongFunctions(found), found.others]).toEqual([[], [], []])
      const { chains } = found
      expect(chains.map(({ hook }) => hook).sort()).toEqual(['tc-egress', 'tc-ingress'])
      for (const { programs = [], entries } of chains) {
        expect(entries).toMatchObject([{ release: 'acme/side@1.0.0' }])
        expect(programs.map(({ madeTag }) => madeTag)).toEqual(programs.map(({ tag }) => tag))
      }
    },
    MOST_MS,
  )

  test('tells what is no longer attached, and says who it cannot speak of', async () => {
    rmSync(join(folder(), 'link'))
    expect(wrong(await answer(3))).toEqual(['running_missing'])
    const nobody = await run('--json', '--state', fleet.path('nowhere'))
    expect([nobody.code, nobody.stdout]).toEqual([4, expect.stringContaining('not_found')])
    const both = await hookline(fleet.dir, ['verify', 'acme/knob', '--running', '--json'])
    expect([both.code, both.stdout]).toEqual([2, expect.stringContaining('usage')])
  })
})
