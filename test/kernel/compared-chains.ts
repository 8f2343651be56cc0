import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Layout, type LayoutEntry, layoutObstacle, layoutsOf } from '../../src/bytecode/layout.ts'
import { DomainError, type ErrorCode } from '../../src/domain/errors.ts'
import type { EntryForm, VerdictCounts } from '../../src/domain/hook.ts'
import { ensureBpffs, pinName, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { hookChains } from '../../src/kernel/chains.ts'
import type { OpenFile } from '../../src/kernel/fd.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { mapContent } from './map-content.ts'
import { unmodified } from './sequence.ts'
import { type Packet, runOn } from './test-run.ts'

const BPFFS = '/sys/fs/bpf'
/** Fields of struct __sk_buff that a test run shows and a program can change: mark, priority, cb, tstamp. */
const SKB_FIELDS = [
  [8, 4],
  [32, 4],
  [48, 20],
  [152, 8],
] as const

/** Gives a chain's layout; one that is known to be impossible is not tried. */
export type Form = (entries: readonly LayoutEntry[]) => Layout

/** What became of a comparison: the forms of the entries, or why the layout is impossible. */
type Compared =
  | { readonly forms: readonly EntryForm[]; readonly counts: readonly VerdictCounts[] }
  | { readonly impossible: ErrorCode }

/** Built chains beside unmodified programs that run one after the other. State goes on from chain to chain on both sides. */
export interface ComparedChains extends Disposable {
  /**
   * Builds the chain, runs both on the packets, and expects equal verdicts, bytes, contexts, counters and state maps.
   * The layout is the one that `form` gives, or the first that an agent would try.
   */
  compare(images: readonly EntryImage[], packets: readonly Packet[], form?: Form): Promise<Compared>
  /** Does the same to each state map of the entries on both sides, once they were compared for the first time. */
  withState(images: readonly EntryImage[], work: (name: string, map: OpenFile) => void): void
  /** Lets both sides forget programs and state. */
  forget(): void
}

/** Chains under a name of their own in the machine's BPF file system; `unlike` names maps whose values are times. */
export function comparedChains(name: string, tc: 'tcx' | 'clsact' = 'tcx', unlike = /^$/): ComparedChains {
  ensureBpffs(BPFFS)
  const agent = `test-${process.pid}-${name}`
  const root = join(BPFFS, 'hookline', agent)
  const maps = join(root, 'maps')
  const kernel = hookChains({ bpffs: BPFFS, agent, netns: undefined, loader: directLoader, tc })
  let originals = new Originals(directLoader, maps)
  let sequences = unmodified()
  const compareStates = (chain: string, images: readonly EntryImage[]): void => {
    const keys = images.flatMap((image) => image.maps.flatMap(({ stateKey }) => stateKey ?? []))
    for (const key of new Set(keys)) {
      using pinned = requirePin(join(maps, pinName(key)))
      const [ours, theirs] = [mapContent(pinned), mapContent({ number: sequences.state.get(key) ?? -1 })]
      if (unlike.test(key)) expect([chain, key, Object.keys(ours)]).toEqual([chain, key, Object.keys(theirs)])
      else expect([chain, key, ours]).toEqual([chain, key, theirs])
    }
  }
  const forget = (): void => {
    originals.collect(new Set())
    originals = new Originals(directLoader, maps)
    sequences[Symbol.dispose]()
    sequences = unmodified()
    removeTree(root)
  }
  return {
    forget,
    withState: (images, work) => {
      for (const { name, stateKey } of images.flatMap((image) => image.maps)) {
        if (stateKey === undefined) continue
        using pinned = requirePin(join(maps, pinName(stateKey)))
        for (const map of [pinned, { number: sequences.state.get(stateKey) ?? -1 }]) work(name, map)
      }
    },
    compare: async (images, packets, form) => {
      const hook = images[0]?.hook ?? 'xdp'
      const key = `1-1-${hook}`
      mkdirSync(join(root, key), { recursive: true })
      let layout: Layout = []
      let obstacle: DomainError | undefined
      const layouts = (entries: readonly LayoutEntry[]): Layout[] => {
        if (form === undefined) return layoutsOf(entries)
        layout = form(entries)
        obstacle = layoutObstacle(layout, entries)
        if (obstacle !== undefined) throw obstacle
        return [layout]
      }
      let forms: readonly EntryForm[]
      const folder = join(root, key, 'gen-1')
      const names = images.map(({ entry, proceed }) => `${entry}(${proceed.join()})`).join(' ')
      try {
        forms = await buildGeneration({ loader: directLoader, originals, tc, layouts }, folder, images)
      } catch (error) {
        if (error === obstacle && obstacle !== undefined) return { impossible: obstacle.code }
        // Linux 6.18 finds fault with itself in some programs (EFAULT, "verifier bug"): an agent goes on to the next layout
        if (form !== undefined && error instanceof DomainError && /verifier bug/.test(error.message))
          return { impossible: error.code }
        throw new Error(`${names} as ${JSON.stringify(layout)} is refused`, { cause: error })
      }
      const chain = `${names} as ${forms.join()}`
      const sequence = sequences.sequence(images, tc)
      using program = requirePin(join(folder, 'program'))
      for (const packet of packets) {
        const expected = sequence.run(packet)
        const run = runOn(program, hook === 'xdp' ? 'xdp' : 'tc-ingress', packet)
        // the comparison of strings is expensive, and nearly always says that they are equal
        if (run.verdict !== expected.verdict || shown(hook, run.packet) !== shown(hook, expected.packet))
          expect([chain, run.verdict, shown(hook, run.packet), packet.bytes.toString('hex')]).toEqual([
            ...[chain, expected.verdict, shown(hook, expected.packet), packet.bytes.toString('hex')],
          ])
      }
      const counts = kernel.counters(key, 1, images.length)
      expect([chain, counts]).toEqual([chain, sequence.counts])
      compareStates(chain, images)
      return { forms, counts }
    },
    [Symbol.dispose]: () => {
      forget()
      removeIfEmpty(join(BPFFS, 'hookline'))
    },
  }
}

/** Bytes, and what of the context a program can have changed: XDP's metadata, fields of a TC packet. */
function shown(hook: EntryImage['hook'], { bytes, context }: Required<Packet>): string {
  const fields =
    hook === 'xdp'
      ? [context.toString('hex', 0, 4)]
      : SKB_FIELDS.map(([at, size]) => context.toString('hex', at, at + size))
  return `${fields.join()} ${bytes.toString('hex')}`
}
