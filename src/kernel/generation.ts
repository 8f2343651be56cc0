import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { emitGroup, type GroupEntry, type GroupProgram, requireChainLength } from '../bytecode/group.ts'
import { formOf, type Layout, type LayoutEntry, layoutsOf } from '../bytecode/layout.ts'
import { counterBytes, proceedMask, rulesOf, type VerdictRules } from '../bytecode/verdict-rules.ts'
import { asDomainError, DomainError } from '../domain/errors.ts'
import type { EntryForm } from '../domain/hook.ts'
import { LIMITS } from '../domain/limits.ts'
import { mergeFunctionTypes } from '../elf/merge-btf.ts'
import type { EntryImage } from '../ports/chain-kernel.ts'
import { mapInfo } from './bpf-info.ts'
import { createPercpuArray, createProgramArray, updateElement } from './bpf-map.ts'
import { type FunctionTypes, PROG_FLAG_FRAGS } from './bpf-program.ts'
import { pin, removeTree } from './bpffs.ts'
import type { Fd } from './fd.ts'
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
    const built = await loadFastest(loader, { images, parts, rules, counters }, layouts(parts))
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

interface ChainParts {
  readonly images: readonly EntryImage[]
  readonly parts: readonly Original[]
  readonly rules: VerdictRules
  readonly counters: Fd
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
    for (const index of layout.keys()) {
      const program = await loadGroup(loader, chain, layout, index, links).catch((error: unknown) => {
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

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}

function loadGroup(
  loader: Loader,
  { images, parts, rules, counters }: ChainParts,
  layout: Layout,
  index: number,
  links: Fd | undefined,
): Promise<Fd> {
  const group = layout[index] ?? []
  const entries = group.flatMap(
    ({ position, called }): (GroupEntry & { image: EntryImage; part: Original })[] => {
      const [image, part] = [images[position], parts[position]]
      if (image === undefined || part === undefined) return []
      return [
        {
          ...{
            image,
            part,
            called,
            body: part.body,
            stackBytes: part.stackBytes[0] ?? 0,
            modules: part.modules,
          },
          proceedMask: proceedMask(image.hook, rules, image.proceed),
          onMissing: onMissingFrom(images, position, layout),
        },
      ]
    },
  )
  const last = index === layout.length - 1
  const program = emitGroup(entries, {
    rules,
    countersMap: mapInfo(counters).id,
    first: group[0]?.position ?? 0,
    next: last || links === undefined ? undefined : { map: mapInfo(links).id, index: index + 1 },
  })
  return loader.program({
    name: layout.length === 1 ? 'hl_chain' : `hl_chain_${index}`,
    hook: images[0]?.hook ?? 'xdp',
    code: program.code,
    license: entries.every(({ image }) => image.gplCompatible) ? 'GPL' : (entries[0]?.image.license ?? ''),
    flags: images.every(({ frags }) => frags) ? PROG_FLAG_FRAGS : 0,
    types: typesOf(program, entries),
    modules: program.modules,
  })
}

/**
 * The verdict of a packet that cannot go on behind an entry. It is dropped if any entry from there on wants that, and also
 * where entries before it may have used up the tail calls that the kernel allows a packet: none may decide for those that
 * it keeps from running.
 */
function onMissingFrom(
  images: readonly EntryImage[],
  position: number,
  layout: Layout,
): EntryImage['onMissing'] {
  const before = images.slice(0, position + 1)
  const calls = before.reduce((sum, { tailCalls }) => sum + tailCalls, layout.length - 1)
  const wanted = images.slice(position).some(({ onMissing }) => onMissing === 'drop')
  return wanted || (calls > LIMITS.bpf_tail_calls && before.some(({ tailCalls }) => tailCalls > 0))
    ? 'drop'
    : 'pass'
}

/** The types of a group's functions, if all are known. Its main function has the type of its first entry's. */
function typesOf(
  { functions }: GroupProgram,
  entries: readonly { readonly image: EntryImage; readonly part: Original }[],
): FunctionTypes | undefined {
  if (!entries.every(({ part }) => part.typed)) return undefined
  const wanted = functions.flatMap(({ entry, position, called }) => {
    const { btf, functions: named } = entries[entry]?.image ?? {}
    const { typeId, global } = named?.[position] ?? {}
    return btf === undefined || typeId === undefined ? [] : [{ btf, typeId, makeStatic: called || !global }]
  })
  if (wanted.length < functions.length) return undefined
  const { btf, typeIds } = mergeFunctionTypes(wanted)
  return { btf, functions: functions.map(({ slot }, at) => ({ slot, typeId: typeIds[at] ?? 0 })) }
}
