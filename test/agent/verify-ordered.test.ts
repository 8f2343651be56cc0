import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { arch, release } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dropEntry } from '../../src/agent/drop-entry.ts'
import { openKeptEntries } from '../../src/agent/kept-entries.ts'
import { keptParts } from '../../src/agent/kept-vetting.ts'
import { rememberVerdicts } from '../../src/agent/verdicts.ts'
import { policyInForce } from '../../src/cli/policy-in-force.ts'
import type { ChainRecord, GenerationRecord } from '../../src/domain/generation.ts'
import { linkInfo, programInfo } from '../../src/kernel/bpf-info.ts'
import { createLink, updateLink } from '../../src/kernel/bpf-link.ts'
import { loadProgram, programById } from '../../src/kernel/bpf-program.ts'
import { requirePin } from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import { interfaceIndex } from '../../src/kernel/libc.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { readAgentState } from '../../src/store/agent-state.ts'
import { verdict } from '../bytecode/assembler.ts'
import { needs, whyNoTcx } from '../support/kernel-features.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { Fleet, type FleetNode, untilKept, xdpProgramOn } from './fleet.ts'
import { type Answer, answerOf, verifyRunning, wrong, wrongFunctions } from './running-answer.ts'

const MOST_MS = 120_000
const BPF_TCX_INGRESS = 46

describeAsRoot('verifying that a node runs what was ordered', () => {
  let fleet: Fleet
  let node: FleetNode
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    await fleet.publishKnob('2.0.0', 2)
    node = await fleet.node('ordered')
    await fleet.apply('edge', node, {
      instances: [
        { use: 'acme/knob@^1.0', name: 'first' },
        { use: 'acme/knob@^2.0', name: 'second', config: { drop: 1 } },
      ],
    })
    await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0', 'acme/knob@2.0.0')
  }, MOST_MS)
  afterAll(() => fleet?.close())

  const pins = (): string => join('/sys/fs/bpf/hookline', node.name)
  const recordPath = (): string => {
    const [name = ''] = readdirSync(join(node.state, 'chains'))
    return join(node.state, 'chains', name)
  }
  /** Does something to the node, looks at what is said of it, and undoes it. */
  async function during(change: () => void, undo: () => void): Promise<Answer> {
    change()
    try {
      return await answerOf(fleet, node, 3)
    } finally {
      undo()
    }
  }
  /** What was made of each entry that the agent remembers. */
  async function made(): Promise<{
    record: ChainRecord
    generation: GenerationRecord
    images: EntryImage[]
  }> {
    const state = readAgentState(node.state)
    const policy = await policyInForce(node.trust, state)
    const parts = await keptParts({
      ...{ state, policy, kernelRelease: release(), arch: arch(), kernelBtf: true },
      ...{ clock: () => new Date(), verdicts: rememberVerdicts() },
    })
    const kept = await openKeptEntries(parts, policy, state)
    const [record] = await state.chains()
    const [generation] = record?.generations ?? []
    if (record === undefined || generation === undefined) throw new Error('nothing is remembered')
    const images: EntryImage[] = []
    for (const { form: _, ...entry } of generation.entries)
      images.push((await kept.verify(entry, generation.functions, 'xdp')).ready.image)
    return { record, generation, images }
  }
  /** Attaches another chain, with a memory that fits it, and gives what is said of that. */
  async function exchangedBy(
    number: number,
    images: readonly EntryImage[],
    entries: GenerationRecord['entries'],
  ): Promise<Answer> {
    const { record, generation } = await made()
    const kernel = hookChains({
      ...{ bpffs: '/sys/fs/bpf', agent: node.name, netns: undefined, loader: directLoader },
    })
    const at = { name: 'eth0', ifindex: record.ifindex, defaultRoute: false }
    const { key, hook } = record
    await kernel.build({ key, hook, at, allowGeneric: false }, number, images)
    using link = requirePin(join(pins(), key, 'link'))
    using ours = programById(linkInfo(link).programId)
    using theirs = requirePin(join(pins(), key, `gen-${number}`, 'program'))
    const kept = readFileSync(recordPath())
    try {
      return await during(
        () => {
          updateLink(link, theirs, ours)
          const generations = [{ ...generation, generation: number, entries }]
          writeFileSync(recordPath(), JSON.stringify({ ...record, generations }))
        },
        () => updateLink(link, ours, theirs),
      )
    } finally {
      writeFileSync(recordPath(), kept)
      kernel.discard(key, number)
    }
  }

  test(
    'finds nothing wrong at first',
    async () => {
      await untilKept(node, 'edge')
      await node.agent.stop()
      const found = await answerOf(fleet, node, 0)
      const functions = [{ name: 'edge', revision: 1 }]
      expect([wrong(found), found.functions, found.others]).toEqual([[], functions, []])
    },
    MOST_MS,
  )

  test.each([
    ['in another order', 11, [1, 0]],
    ['without the first', 12, [1]],
    ['with one twice', 13, [0, 0, 1]],
  ])(
    'tells entries %s, whatever the agent remembers',
    async (_, number, places) => {
      const { generation, images } = await made()
      const entries = places.flatMap((at) => generation.entries[at] ?? [])
      const found = await exchangedBy(
        number,
        places.flatMap((at) => images[at] ?? []),
        entries,
      )
      expect(wrong(found)).toEqual(['running_unordered'])
    },
    MOST_MS,
  )

  test(
    'tells what drops everything where nothing is revoked',
    async () => {
      const { generation, images } = await made()
      const drop = dropEntry('edge', 'second', 'acme/knob@2.0.0', 'xdp')
      const [first] = generation.entries
      const [firstImage] = images
      if (first === undefined || firstImage === undefined) throw new Error('nothing runs')
      const found = await exchangedBy(
        14,
        [firstImage, drop.image],
        [first, { ...drop.record, form: 'fused' }],
      )
      expect(wrong(found)).toEqual(['running_unordered', 'running_unverified: order_invalid'])
    },
    MOST_MS,
  )

  test(
    'tells that nothing of the agent is attached, though neither pins nor memory are left, and what is',
    async () => {
      const [path, aside, programId] = [recordPath(), `${pins()}-aside`, xdpProgramOn(node.edge)]
      const record = readFileSync(path)
      const found = await during(
        () => {
          renameSync(pins(), aside)
          rmSync(path)
        },
        () => {
          renameSync(aside, pins())
          writeFileSync(path, record)
        },
      )
      expect(wrong(found)).toEqual(['running_missing'])
      expect(found.chains).toMatchObject([{ hook: 'xdp', interface: 'eth0', programId: 0 }])
      expect(found.others).toMatchObject([{ hook: 'xdp', interface: 'eth0', programId, name: 'hl_chain' }])
    },
    MOST_MS,
  )

  test('tells what others attached to the same interface', async (context) => {
    needs('tcx', whyNoTcx(), context)
    using program = loadProgram({
      ...{ name: 'stranger', hook: 'tc-ingress', code: verdict(0), license: 'GPL', flags: 0 },
    })
    using link = inNetns(node.edge.namespace.path, () =>
      createLink(program, interfaceIndex(node.edge.interface), BPF_TCX_INGRESS),
    )
    const { others } = await answerOf(fleet, node, 0)
    const { id } = programInfo(program)
    expect(others).toMatchObject([{ hook: 'tc-ingress', interface: 'eth0', programId: id, name: 'stranger' }])
    expect((await verifyRunning(fleet, node)).stdout).toContain(`program ${id} stranger`)
    link.close()
    expect((await answerOf(fleet, node, 0)).others).toEqual([])
  })

  test(
    'tells that a newer order was accepted and is not carried out',
    async () => {
      fleet.startAgent(node)
      await fleet.applyUnchecked('edge', 2, node, { instances: [{ use: 'acme/knob@^9.0' }] })
      await fleet.untilRefused(node, 'edge', 'version_not_found')
      const behind = await answerOf(fleet, node, 3)
      expect([wrong(behind), wrongFunctions(behind)]).toEqual([
        [],
        ['edge: running_behind: version_not_found'],
      ])
      expect((await verifyRunning(fleet, node)).stdout).toContain(
        'it runs by order 1, and order 2 was accepted',
      )

      await fleet.publishKnob('9.0.0', 9)
      await fleet.untilRuns(node, 'edge', 'acme/knob@9.0.0')
      const found = await answerOf(fleet, node, 0)
      expect([wrong(found), wrongFunctions(found)]).toEqual([[], []])
      await untilKept(node, 'edge')
    },
    MOST_MS,
  )

  test(
    'tells an order that is not believed any more, and one of which nothing runs yet',
    async () => {
      await fleet.applyUnchecked('late', 1, node, { instances: [{ use: 'acme/knob@^7.0' }] })
      await fleet.untilRefused(node, 'late', 'version_not_found')
      expect(wrongFunctions(await answerOf(fleet, node, 3))).toEqual([
        'late: running_behind: version_not_found',
      ])
      await fleet.remove('late')
      await expect.poll(async () => (await verifyRunning(fleet, node)).code, { timeout: 20_000 }).toBe(0)
      const path = join(node.state, 'orders', 'edge.json')
      const order = readFileSync(path, 'utf8')
      await node.agent.stop()
      const changed = order.replace(/(payload\\": ?\\"[A-Za-z0-9+/]{40})[A-Za-z0-9+/]/, '$1_')
      expect(changed).not.toBe(order)
      const found = await during(
        () => writeFileSync(path, changed),
        () => writeFileSync(path, order),
      )
      expect(wrongFunctions(found)).toEqual([expect.stringMatching(/^edge: running_unverified: order/)])
      fleet.startAgent(node)
    },
    MOST_MS,
  )

  test.each([
    ['previous', ['acme/knob@1.0.0', 'acme/previous@1.0.0']],
    ['drop', ['acme/knob@1.0.0', 'acme/drop@1.1.0 (revoked)']],
    ['detach', ['acme/knob@1.0.0']],
  ])(
    'finds what is ordered of something revoked: %s',
    async (onRevoke, left) => {
      const program = `acme/${onRevoke}`
      await fleet.publishKnob('1.0.0', 60, program)
      await fleet.publishKnob('1.1.0', 61, program)
      await fleet.apply('edge', node, {
        ...{ onRevoke, instances: [{ use: 'acme/knob@^1.0' }, { use: `${program}@^1.0` }] },
      })
      await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0', `${program}@1.1.0`)
      await untilKept(node, 'edge')
      const { path } = fleet.publisher
      const why = ['--reason', 'faulty', '--message', 'drops what it should not']
      await fleet.hookline('revoke', `${program}@1.1.0`, '--key', path, ...why)
      await fleet.until(node, 'the revocation', ({ chains }) =>
        chains.some(({ entries }) => entries.map((one) => one.release).join() === left.join()),
      )
      const found = await answerOf(fleet, node, 0)
      expect([wrong(found), wrongFunctions(found)]).toEqual([[], []])
    },
    MOST_MS,
  )
})
