import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { requireChainLength } from '../bytecode/group.ts'
import { formOf, type Layout, type LayoutEntry, layoutsOf } from '../bytecode/layout.ts'
import { counterBytes, rulesOf } from '../bytecode/verdict-rules.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { EntryForm } from '../domain/hook.ts'
import type { EntryImage } from '../ports/chain-kernel.ts'
import { mapInfo } from './bpf-info.ts'
import { createPercpuArray, createProgramArray, u32, updateElement } from './bpf-map.ts'
import { pin, removeTree } from './bpffs.ts'
import type { Fd } from './fd.ts'
import { type ChainParts, groupImage } from './group-image.ts'
import type { Loader } from './loader.ts'
import { type Original, type Originals, takeBack } from './originals.ts'

/** Where a generation's parts are pinned. */
export const generationFolder = (chainFolder: string, generation: number): string =>
  join(chainFolder, `gen-${generation}`)

/** What builds a generation, and how its chain will be attached where that makes a difference. */
export interface Builder {
  readonly loader: Loader
  readonly originals: Originals
  readonly tc: 'tcx' | 'clsact'
  /** The layouts to try, in order; by default {@link layoutsOf}. */
  readonly layouts?: (entries: readonly LayoutEntry[]) => Layout[]
}

/**
 * Builds one generation off to the side: loads each entry's object on the instance's kept state maps, lays them out,
 * loads what comes of it in the fastest form that the kernel takes, and pins under `folder` its program, its counters
 * and the arrays of programs that must outlive this process. Nothing is attached. What it pinned is removed again when
 * it fails. Throws `chain_*`, `verifier_refused`, `map_incompatible`, KernelError.
 */
export async function buildGeneration(
  { loader, originals, tc, layouts = layoutsOf }: Builder,
  folder: string,
  images: readonly EntryImage[],
): Promise<EntryForm[]> {
  requireChainLength(images.length)
  const newPins: string[] = []
  try {
    const parts: Original[] = []
    for (const [position, image] of images.entries())
      parts.push(await originals.obtain(image, newPins).catch((error: unknown) => blame(error, position)))
    requireFragsAlike(images, parts)
    const hook = images[0]?.hook ?? 'xdp'
    const rules = rulesOf(hook, tc)
    using counters = createPercpuArray('hl_counters', counterBytes(rules) * images.length, 1)
    const chain = { images, parts, rules, countersMap: mapInfo(counters).id }
    const built = await loadFastest(loader, chain, layouts(parts))
    try {
      removeTree(folder) // left over from a build that was cut short
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      pin(counters, join(folder, 'counters'))
      if (built.links !== undefined) pin(built.links, join(folder, 'links'))
      const arrays = parts.flatMap(({ programArrays }) => programArrays)
      if (arrays.length > 0) mkdirSync(join(folder, 'arrays'), { mode: 0o700 })
      for (const [at, array] of arrays.entries()) pin(array, join(folder, 'arrays', `${at}`))
      pin(built.program, join(folder, 'program')) // last: a generation with a program is whole
      return images.map((_, position) => formOf(built.layout, position))
    } finally {
      built.program.close()
      built.links?.close()
    }
  } catch (error) {
    removeTree(folder)
    takeBack(newPins)
    throw error
  }
}

/** Says which entry it was. */
function blame(error: unknown, entry: number): never {
  const { code, message, log } = asDomainError(error)
  throw new DomainError(code, message, { cause: error, entry, ...(log === undefined ? {} : { log }) })
}

/**
 * Multi-buffer packets reach a chain only if every entry takes them. Programs that tail-call each other must agree on
 * it, so one that brings such programs along cannot join a chain that does not.
 */
function requireFragsAlike(images: readonly EntryImage[], parts: readonly Original[]): void {
  const without = images.find(({ frags }) => !frags)
  if (without === undefined) return
  const at = images.findIndex(
    ({ frags }, position) => frags && (parts[position]?.programArrays.length ?? 0) > 0,
  )
  if (at >= 0)
    throw new DomainError(
      'chain_mixed_frags',
      `${images[at]?.entry} takes multi-buffer packets and makes tail calls, ${without.entry} takes none (section xdp.frags)`,
    )
}

interface LoadedChain {
  readonly layout: Layout
  /** The chain's first program: it is what is attached. */
  readonly program: Fd
  /** The array through which the groups reach each other. */
  readonly links: Fd | undefined
}

/**
 * Tries one layout after the other, off to the side; the first refusal is the one to tell. An entry that is refused in a
 * program of its own is to blame, whatever it was refused with before.
 */
async function loadFastest(
  loader: Loader,
  chain: ChainParts,
  layouts: readonly Layout[],
): Promise<LoadedChain> {
  let first: DomainError | undefined
  let guilty: DomainError | undefined
  for (const layout of layouts)
    try {
      return await loadLayout(loader, chain, layout)
    } catch (error) {
      const refusal = asDomainError(error)
      first ??= refusal
      if (refusal.entry !== undefined) guilty = refusal
      if (refusal.code !== 'verifier_refused' && refusal.code !== 'chain_stack') throw refusal
    }
  if (guilty?.entry !== undefined && chain.parts.length > 1) blame(guilty, guilty.entry)
  throw first ?? new DomainError('internal', 'a chain has no layout')
}

/** Loads a layout's programs, each into its place of the array that links them. */
async function loadLayout(loader: Loader, chain: ChainParts, layout: Layout): Promise<LoadedChain> {
  const links = layout.length > 1 ? createProgramArray('hl_links', layout.length) : undefined
  let root: Fd | undefined
  try {
    const linksMap = links && mapInfo(links).id
    for (const index of layout.keys()) {
      const image = groupImage(chain, layout, index, linksMap)
      const program = await loader.program(image).catch((error: unknown) => {
        const [only, ...others] = layout[index] ?? []
        const refused = asDomainError(error).code === 'verifier_refused'
        if (!refused || only === undefined || others.length > 0) throw error
        return blame(error, only.position)
      })
      if (index === 0) root = program
      else {
        if (links !== undefined) updateElement(links, u32(index), u32(program.number))
        program.close()
      }
    }
    if (root === undefined) throw new DomainError('internal', 'a chain has no program')
    return { layout, program: root, links }
  } catch (error) {
    root?.close()
    links?.close()
    throw error
  }
}
