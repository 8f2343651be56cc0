import { createHash } from 'node:crypto'
import { counterName, rulesOf, type VerdictRules } from '../../src/bytecode/verdict-rules.ts'
import { type Hook, noPackets, TC_VERDICTS, type VerdictCounts } from '../../src/domain/hook.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { loadOriginal, type Original } from './load-original.ts'
import { type Packet, runOn } from './test-run.ts'

/** What a chain must do, by its definition: unmodified programs run one after the other in TypeScript. */
interface Sequence {
  /** Runs the entries on a packet until one's verdict is not among those to proceed on; gives the chain's verdict. */
  run(packet: Packet): { verdict: number; packet: Required<Packet> }
  /** Packets by verdict of each entry. */
  readonly counts: VerdictCounts[]
}

/** Unmodified programs and their maps, which live until this is disposed of. */
export interface Unmodified extends Disposable {
  /** Each entry is loaded by itself, once; those with equal state keys share the map. */
  sequence(images: readonly EntryImage[], tc: 'tcx' | 'clsact'): Sequence
  /** Descriptors of the state maps by their keys. */
  readonly state: ReadonlyMap<string, number>
}

/** Begins with no programs and no state. */
export function unmodified(): Unmodified {
  const loaded = new Map<string, Original>()
  const state = new Map<string, number>()
  const obtain = (image: EntryImage): Original => {
    const { bytes, entry, hook, variables, maps } = image
    const keys = maps.map(({ stateKey }) => stateKey)
    const digest = createHash('sha256').update(bytes).digest('hex')
    const key = JSON.stringify([digest, entry, keys, variables])
    const known = loaded.get(key)
    if (known !== undefined) return known
    const kept = maps.flatMap(({ name, stateKey }): [string, number][] => {
      const fd = stateKey === undefined ? undefined : state.get(stateKey)
      return fd === undefined ? [] : [[name, fd]]
    })
    const original = loadOriginal(bytes, {
      ...{ entry, variables, reuse: new Map(kept) },
      hook: hook === 'xdp' ? 'xdp' : 'tc-ingress',
    })
    loaded.set(key, original)
    for (const { name, stateKey } of maps) {
      const fd = original.maps.get(name)
      if (stateKey !== undefined && fd !== undefined && !state.has(stateKey)) state.set(stateKey, fd)
    }
    return original
  }
  return {
    state,
    sequence: (images, tc) => sequenceOf(images, images.map(obtain), tc),
    [Symbol.dispose]: () => {
      for (const original of loaded.values()) original[Symbol.dispose]()
    },
  }
}

function sequenceOf(
  images: readonly EntryImage[],
  programs: readonly Original[],
  tc: 'tcx' | 'clsact',
): Sequence {
  const hook = images[0]?.hook ?? 'xdp'
  const rules = rulesOf(hook, tc)
  const counts = images.map(({ hook }) => noPackets(hook))
  return {
    counts,
    run: (given) => {
      let after = { verdict: 0, packet: { context: Buffer.alloc(0), ...given } }
      let proceeds = true
      for (const [position, { proceed }] of images.entries()) {
        const [original, count] = [programs[position], counts[position]]
        if (original === undefined || count === undefined) throw new Error('an entry is not loaded')
        const packet = position === 0 ? given : after.packet
        after = runOn(original.program, hook === 'xdp' ? 'xdp' : 'tc-ingress', packet)
        const name = nameOf(hook, rules, after.verdict)
        count[name] = (count[name] ?? 0) + 1
        proceeds = proceed.some((verdict) => verdict === name)
        if (!proceeds) break
      }
      return { verdict: endOf(hook, tc, after.verdict, proceeds), packet: after.packet }
    },
  }
}

/** A verdict's name; those without one are `other`. */
function nameOf(hook: Hook, rules: VerdictRules, verdict: number): ReturnType<typeof counterName> {
  const slot = (verdict | 0) + rules.bias
  return slot >= 0 && slot <= rules.lastSlot ? counterName(hook, rules, slot) : 'other'
}

/** The end of a chain (docs/chains.md): on TC what is behind it gets its turn, and TCX would give back what was taken. */
function endOf(hook: Hook, tc: 'tcx' | 'clsact', verdict: number, proceeds: boolean): number {
  if (hook === 'xdp') return verdict
  if (proceeds) return TC_VERDICTS.next >>> 0
  const { shot, stolen, trap } = TC_VERDICTS
  return tc === 'tcx' && [stolen, trap].some((taken) => taken === verdict) ? shot : verdict
}
