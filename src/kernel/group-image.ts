import { emitGroup, type GroupEntry, type GroupProgram } from '../bytecode/group.ts'
import type { Layout } from '../bytecode/layout.ts'
import { proceedMask, type VerdictRules } from '../bytecode/verdict-rules.ts'
import { LIMITS } from '../domain/limits.ts'
import { mergeFunctionTypes } from '../elf/merge-btf.ts'
import type { EntryImage } from '../ports/chain-kernel.ts'
import { type FunctionTypes, PROG_FLAG_FRAGS, type ProgramImage } from './bpf-program.ts'
import type { Original } from './originals.ts'

/** What the programs of a chain are made from. */
export interface ChainParts {
  readonly images: readonly EntryImage[]
  /** Of each image, as it was loaded. */
  readonly parts: readonly Original[]
  readonly rules: VerdictRules
  /** Id of the map with the counters of all entries. */
  readonly countersMap: number
}

/**
 * The program that a group of a layout becomes, its maps named by the kernel's ids. `linksMap` is the array through which
 * the groups reach each other; undefined where there is one group. Deterministic. Throws what {@link emitGroup} does.
 */
export function groupImage(
  { images, parts, rules, countersMap }: ChainParts,
  layout: Layout,
  index: number,
  linksMap: number | undefined,
): ProgramImage {
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
    countersMap,
    first: group[0]?.position ?? 0,
    next: last || linksMap === undefined ? undefined : { map: linksMap, index: index + 1 },
  })
  return {
    name: layout.length === 1 ? 'hl_chain' : `hl_chain_${index}`,
    hook: images[0]?.hook ?? 'xdp',
    code: program.code,
    license: entries.every(({ image }) => image.gplCompatible) ? 'GPL' : (entries[0]?.image.license ?? ''),
    flags: images.every(({ frags }) => frags) ? PROG_FLAG_FRAGS : 0,
    types: typesOf(program, entries),
    modules: program.modules,
  }
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
