import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeAll, beforeEach } from 'vitest'
import { layoutsOf } from '../../src/bytecode/layout.ts'
import { programInfo } from '../../src/kernel/bpf-info.ts'
import { ensureBpffs, removeIfEmpty, removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import { chainExaminer } from '../../src/kernel/chain-examiner.ts'
import { agentFolder, mapsFolder } from '../../src/kernel/chains.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { ComparedChain, EntryImage } from '../../src/ports/chain-kernel.ts'
import { compileSource, type EntryUse, entryImage } from './chain-entries.ts'

const BPFFS = '/sys/fs/bpf'
const KEY = '1-1-xdp'
type Tc = 'tcx' | 'clsact'

/** Chains that are built and examined, attached to nothing: of each test anew, and removed behind it. */
export function examinedChains(name: string) {
  const agent = `test-${process.pid}-${name}`
  const root = agentFolder(BPFFS, agent)
  const folder = join(root, KEY, 'gen-1')
  let originals: Originals
  beforeAll(() => ensureBpffs(BPFFS))
  beforeEach(() => {
    mkdirSync(root, { recursive: true })
    originals = new Originals(directLoader, mapsFolder(root))
  })
  afterEach(() => {
    originals.collect(new Set())
    removeTree(root)
    removeIfEmpty(join(BPFFS, 'hookline'))
  })
  const idOf = (pin: string): number => {
    using program = requirePin(join(folder, pin))
    return programInfo(program).id
  }
  return {
    /** Where the generation is pinned. */
    folder,
    /** Where its state maps are. */
    maps: mapsFolder(root),
    /** An entry of test/kernel/sources, called as its file. */
    image: (source: string, use: EntryUse = {}): EntryImage =>
      entryImage(compileSource(source), source.replaceAll('-', '_'), { instance: source, ...use }),
    /** What the generation's entries were made from. */
    original: (image: EntryImage) => originals.obtain(image, []),
    /** Builds a chain in the last of its possible forms, or in the first; for TC, its verdicts for where it is attached. */
    build: (images: readonly EntryImage[], form: 'first' | 'last' = 'first', tc: Tc = 'tcx') =>
      buildGeneration(
        {
          ...{ loader: directLoader, originals, tc },
          layouts: (entries) => layoutsOf(entries).slice(form === 'first' ? 0 : -1),
        },
        folder,
        images,
      ),
    /** Examines the generation, by default with the program that was built as the one that is attached. */
    compare: (
      images: readonly EntryImage[],
      { programId = idOf('program'), tc = 'tcx' as Tc } = {},
    ): Promise<ComparedChain> =>
      chainExaminer({ bpffs: BPFFS, agent, netns: undefined, loader: directLoader, tc }).compare(
        KEY,
        1,
        programId,
        images,
      ),
  }
}
