import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { updateLink } from '../../src/kernel/bpf-link.ts'
import { loadXdpProgram, programById } from '../../src/kernel/bpf-program.ts'
import { requirePin } from '../../src/kernel/bpffs.ts'
import { verdict } from '../bytecode/assembler.ts'
import { describeAsRoot } from '../support/needs-root.ts'
import { chainOf, Fleet, type FleetNode, xdpProgramOn } from './fleet.ts'

const MOST_MS = 120_000
const XDP_PASS = 2

describeAsRoot('a chain that somebody else changes', () => {
  let fleet: Fleet
  let node: FleetNode
  beforeAll(async () => {
    fleet = await Fleet.start()
    await fleet.publishKnob('1.0.0')
    node = await fleet.node('x')
    await fleet.apply('edge', node)
    await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0')
  }, MOST_MS)
  afterAll(() => fleet?.close())

  const folder = (): string => {
    const root = join('/sys/fs/bpf/hookline', node.name)
    const [name = ''] = readdirSync(root).filter((one) => one.endsWith('-xdp'))
    return join(root, name)
  }
  const said = (part: string): string[] => node.agent.lines.filter((line) => line.includes(part))

  test(
    'by removing its link is attached anew, with a line that it was gone',
    async () => {
      const { linkId } = chainOf(node)
      rmSync(join(folder(), 'link'))
      await fleet.until(node, 'another link', ({ chains }) => chains.some((chain) => chain.linkId !== linkId))
      await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0')
      expect(chainOf(node).programId).toBe(xdpProgramOn(node.edge))
      expect(said('xdp on eth0 was detached, and not by this agent')).toHaveLength(1)
    },
    MOST_MS,
  )

  test(
    'by removing all pins is attached anew, with such a line',
    async () => {
      const { linkId } = chainOf(node)
      rmSync(folder(), { recursive: true })
      await fleet.until(node, 'another link', ({ chains }) => chains.some((chain) => chain.linkId !== linkId))
      await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0')
      expect(said('xdp on eth0 was detached, and not by this agent')).toHaveLength(2)
    },
    MOST_MS,
  )

  test(
    'by replacing its program is reported as that, is left alone, and is as ordered after --detach',
    async () => {
      const { programId, linkId } = chainOf(node)
      {
        using link = requirePin(join(folder(), 'link'))
        using ours = programById(programId)
        using theirs = loadXdpProgram({ name: 'other', code: verdict(XDP_PASS), license: 'GPL', flags: 0 })
        updateLink(link, theirs, ours)
        const { id, tag } = programInfo(theirs)
        const { errors, functions } = await fleet.untilRefused(node, 'edge', 'chain_altered')
        const what = `xdp on eth0 runs program ${id} (name other, tag ${tag})`
        expect(errors).toMatchObject([{ code: 'chain_altered', message: expect.stringContaining(what) }])
        expect(errors[0]?.message).toContain(`in link ${linkId}`)
        expect(functions[0]?.error).toEqual(errors[0])
        expect(said('[chain_altered]')).toHaveLength(1)
        expect(xdpProgramOn(node.edge)).toBe(id)
      }
      await node.agent.stop()
      await fleet.detach(node)
      expect(xdpProgramOn(node.edge)).toBe(undefined)
      fleet.startAgent(node)
      await fleet.untilRuns(node, 'edge', 'acme/knob@1.0.0')
      const { errors } = await fleet.until(node, 'a report', () => true)
      expect(errors).toEqual([])
      expect(said('was detached, and not by this agent')).toEqual([])
    },
    MOST_MS,
  )
})
