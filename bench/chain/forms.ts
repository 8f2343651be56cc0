import { join } from 'node:path'
import type { Layout } from '../../src/bytecode/layout.ts'
import { removeTree, requirePin } from '../../src/kernel/bpffs.ts'
import type { Fd } from '../../src/kernel/fd.ts'
import { buildGeneration } from '../../src/kernel/generation.ts'
import { directLoader } from '../../src/kernel/loader.ts'
import { Originals } from '../../src/kernel/originals.ts'
import type { EntryImage } from '../../src/ports/chain-kernel.ts'
import { readyEntry } from '../../tools/lab/ready-entry.ts'
import { loadCooperative, loadDispatcher } from './native.ts'
import { compileProgram, type Kind } from './programs.ts'

/** Ways to run programs one after the other; `fused` is what an agent builds when nothing stands against it. */
export const FORMS = [
  'fused',
  'groups',
  'exit rewrite',
  'wrap',
  'called',
  'cooperative',
  'dispatcher',
] as const
export type Form = (typeof FORMS)[number]

/** Entries of one program in the form `groups`. */
const GROUP_ENTRIES = 5

/** A chain that is loaded, attached to nothing. */
export interface LoadedChain {
  readonly program: Fd
  close(): void
}

/** An entry of a chain of ours: each has maps of its own. */
export const entryOf = (kind: Kind, position: number): EntryImage =>
  readyEntry({
    bytes: compileProgram(kind, 'plain'),
    entry: 'plain',
    hook: 'xdp',
    instance: `${kind}-${position}`,
  }).image

const chunks = (entries: number, size: number): number[][] =>
  Array.from({ length: Math.ceil(entries / size) }, (_, group) =>
    Array.from({ length: Math.min(size, entries - group * size) }, (_, at) => group * size + at),
  )

const laid = (groups: readonly (readonly number[])[], called: boolean): Layout =>
  groups.map((group) => group.map((position) => ({ position, called })))

/** The layout that makes a form of so many entries. */
function layoutOf(form: Exclude<Form, 'cooperative' | 'dispatcher'>, entries: number): Layout {
  switch (form) {
    case 'fused':
      return laid(chunks(entries, entries), false)
    case 'groups':
      return laid(chunks(entries, GROUP_ENTRIES), false)
    case 'exit rewrite':
      return laid(chunks(entries, 1), false)
    case 'wrap':
      return laid(chunks(entries, 1), true)
    case 'called':
      return laid(chunks(entries, entries), true)
  }
}

/** Loads chains of ours below `folder` of a BPF file system, in whatever form is asked for. */
export class Workshop {
  readonly #folder: string
  readonly #originals: Originals
  #generations = 0

  constructor(folder: string) {
    this.#folder = folder
    this.#originals = new Originals(directLoader, join(folder, 'maps'))
  }

  /** Loads programs as a chain. Throws what the kernel says when the form cannot be loaded. */
  async load(form: Form, kinds: readonly Kind[]): Promise<LoadedChain> {
    if (form === 'cooperative') return loadCooperative(kinds)
    if (form === 'dispatcher') return loadDispatcher(kinds)
    const folder = join(this.#folder, `gen-${++this.#generations}`)
    const layouts = (): Layout[] => [layoutOf(form, kinds.length)]
    await buildGeneration(
      { loader: directLoader, originals: this.#originals, tc: 'tcx', layouts },
      folder,
      kinds.map(entryOf),
    )
    const program = requirePin(join(folder, 'program'))
    const close = (): void => {
      program.close()
      removeTree(folder)
    }
    return { program, close }
  }
}
