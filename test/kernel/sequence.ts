import { noPackets, type VerdictCounts, XDP_COUNTERS, XDP_VERDICTS } from '../../src/domain/hook.ts'
import { loadXdpProgram, PROG_FLAG_FRAGS, testRun } from '../../src/kernel/bpf-program.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { type LoadedObject, loadObject } from '../../src/kernel/object.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'

/** What a chain must do, by its definition: unmodified programs run one after the other in TypeScript. */
export interface Sequence extends Disposable {
  /** Runs the entries on a frame until one's verdict is not among those to proceed on. */
  run(frame: Buffer): { verdict: number; packet: Buffer }
  /** Packets by verdict of each entry. */
  readonly counts: VerdictCounts[]
  /** Descriptors of the state maps by their keys. */
  readonly state: ReadonlyMap<string, number>
}

/** Loads each entry by itself; entries of one instance share its state maps. */
export function loadSequence(images: readonly EntryImage[]): Sequence {
  const objects: LoadedObject[] = []
  const programs: Fd[] = []
  const state = new Map<string, number>()
  for (const { bytes, entry, variables, maps, license, frags } of images) {
    const kept = maps.flatMap(({ name, stateKey }): [string, number][] => {
      const fd = stateKey === undefined ? undefined : state.get(stateKey)
      return fd === undefined ? [] : [[name, fd]]
    })
    const object = loadObject({ bytes, entry, variables, reuse: new Map(kept) })
    objects.push(object)
    for (const { name, stateKey } of maps) {
      const fd = object.maps.get(name)
      if (stateKey !== undefined && fd !== undefined && !state.has(stateKey)) state.set(stateKey, fd)
    }
    const flags = frags ? PROG_FLAG_FRAGS : 0
    programs.push(loadXdpProgram({ name: entry, code: object.code, license, flags }))
  }
  const counts = images.map(noPackets)
  return {
    counts,
    state,
    run: (frame) => {
      let after: { verdict: number; packet: Buffer } = { verdict: 0, packet: frame }
      for (const [position, { proceed }] of images.entries()) {
        const [program, count] = [programs[position], counts[position]]
        if (program === undefined || count === undefined) throw new Error('an entry is not loaded')
        after = testRun(program, after.packet)
        count[XDP_COUNTERS[Math.min(after.verdict, XDP_VERDICTS.length)] ?? 'other'] += 1
        const verdict = XDP_VERDICTS[after.verdict]
        if (verdict === undefined || !proceed.includes(verdict)) break
      }
      return after
    },
    [Symbol.dispose]: () => {
      for (const program of programs) program.close()
      for (const object of objects) object.close()
    },
  }
}
