import { join } from 'node:path'
import { type Layout, layoutsOf } from '../bytecode/layout.ts'
import { programTag } from '../bytecode/program-tag.ts'
import { rulesOf } from '../bytecode/verdict-rules.ts'
import { asDomainError } from '../domain/errors.ts'
import { LIMITS } from '../domain/limits.ts'
import type { ChainExaminer, ComparedChain, ComparedProgram, EntryImage } from '../ports/chain-kernel.ts'
import { attachedPrograms } from './attached-programs.ts'
import { mapInfo, programInfo } from './bpf-info.ts'
import { lookupElement, PROG_ARRAY, u32 } from './bpf-map.ts'
import { type ProgramImage, programById } from './bpf-program.ts'
import { openPin } from './bpffs.ts'
import { agentFolder, type ChainsOptions, hookChains, mapsFolder } from './chains.ts'
import { type Comparison, comparePrograms } from './compare-programs.ts'
import { extensionsOf } from './extensions.ts'
import type { Fd } from './fd.ts'
import { generationFolder } from './generation.ts'
import { type ChainParts, groupImage } from './group-image.ts'
import type { Loader } from './loader.ts'
import { reloadOriginals } from './reloaded-originals.ts'
import { tagHash } from './tag-hash.ts'
import { tcxSupported } from './tcx-hook.ts'

/** Looks at the chains that {@link hookChains} of the same options makes. */
export function chainExaminer(options: ChainsOptions): ChainExaminer {
  const { bpffs, agent, netns, loader, tc = tcxSupported() ? 'tcx' : 'clsact' } = options
  const root = agentFolder(bpffs, agent)
  const { interfaces, keyOf, pinned } = hookChains(options)
  return {
    ...{ interfaces, keyOf, pinned },
    attached: (at) => attachedPrograms(netns, at),
    compare: async (key, generation, programId, images) => {
      using reloaded = await reloadOriginals(loader, mapsFolder(root), images)
      const folder = generationFolder(join(root, key), generation)
      return await compareGeneration({ loader, tc }, folder, programId, images, reloaded)
    },
  }
}

type Reloaded = Awaited<ReturnType<typeof reloadOriginals>>

async function compareGeneration(
  { loader, tc }: { readonly loader: Loader; readonly tc: 'tcx' | 'clsact' },
  folder: string,
  programId: number,
  images: readonly EntryImage[],
  { parts, unpinned, own }: Reloaded,
): Promise<ComparedChain> {
  using counters = openPin(join(folder, 'counters'))
  using links = linksIn(folder)
  const differences = unpinned.map((name) => `its state map ${name} is not pinned`)
  if (counters === undefined) differences.push('its counters are not pinned')
  const rules = rulesOf(images[0]?.hook ?? 'xdp', tc)
  const chain = { images, parts, rules, countersMap: counters === undefined ? 0 : mapInfo(counters).id }
  const running = runningPrograms(programId, links)
  const made = closest(candidates(chain, running.length, links && mapInfo(links).id), running)
  const programs = running.map((one, at) => ({ ...one, madeTag: made?.[at]?.tag ?? '' }))
  if (made === undefined)
    differences.push(`${running.length} programs hang together, which its entries never make`)
  if (made === undefined || counters === undefined) return { programs, differences }
  const comparison: Comparison = { own, seen: new Map() }
  for (const [at, program] of programs.entries())
    differences.push(...(await compareOne(loader, program, made[at], comparison)))
  for (const { programId: by, targetId } of extensionsOf(new Set(comparison.seen.values())))
    differences.push(`program ${by} runs in place of a function of program ${targetId}`)
  return { programs, differences }
}

/** The array through which groups reach each other, where what is pinned can be one: it decides how much is looked up. */
function linksIn(folder: string): Fd | undefined {
  using held = new DisposableStack()
  const links = openPin(join(folder, 'links'))
  if (links === undefined) return undefined
  held.use(links)
  const { type, maxEntries } = mapInfo(links)
  if (type !== PROG_ARRAY || maxEntries > LIMITS.bpf_tail_calls + 1) return undefined
  held.move()
  return links
}

/** Loads what a program should be, attached to nothing, and compares; one of another tag is another. */
async function compareOne(
  loader: Loader,
  program: ComparedProgram,
  made: MadeProgram | undefined,
  comparison: Comparison,
): Promise<string[]> {
  if (program.tag !== made?.tag) return [differenceOf(program)]
  using running = programById(program.programId)
  using wanted = await loader.program(made.image)
  return comparePrograms(running, wanted, comparison)
}

const differenceOf = ({ programId, tag, madeTag }: ComparedProgram): string =>
  programId === 0
    ? `a program is missing that its entries make (tag ${madeTag})`
    : `program ${programId} has the tag ${tag}, its entries make ${madeTag}`

type RunningProgram = Pick<ComparedProgram, 'programId' | 'tag'>

/** The program that is attached, and those in the array through which the groups of a chain reach each other. */
function runningPrograms(attached: number, links: Fd | undefined): RunningProgram[] {
  const groups = links === undefined ? 1 : mapInfo(links).maxEntries
  const ids = Array.from({ length: groups }, (_, at) =>
    at === 0 || links === undefined ? attached : (lookupElement(links, u32(at), 4)?.readUInt32LE(0) ?? 0),
  )
  return ids.map((programId) => {
    if (programId === 0) return { programId, tag: '' }
    using program = programById(programId)
    return { programId, tag: programInfo(program).tag }
  })
}

/** A program as the entries make it. */
interface MadeProgram {
  readonly image: ProgramImage
  readonly tag: string
}

/** What the entries can be made into, of so many programs: the kernel decided which of them runs. */
function candidates(chain: ChainParts, groups: number, linksMap: number | undefined): MadeProgram[][] {
  const hash = tagHash()
  const make = (layout: Layout): MadeProgram[] =>
    [...layout.keys()].map((index) => {
      const image = groupImage(chain, layout, index, linksMap)
      return { image, tag: programTag(image.code, hash) }
    })
  return layoutsOf(chain.parts)
    .filter((layout) => layout.length === groups)
    .flatMap((layout) => {
      try {
        return [make(layout)]
      } catch (error) {
        if (asDomainError(error).code === 'chain_stack') return [] // which the agent passed over, too
        throw error
      }
    })
}

/** The candidate that has most of the programs that run. */
function closest(
  made: readonly MadeProgram[][],
  running: readonly RunningProgram[],
): MadeProgram[] | undefined {
  const alike = (one: readonly MadeProgram[]): number =>
    one.filter(({ tag }, at) => tag === running[at]?.tag).length
  return [...made].sort((a, b) => alike(b) - alike(a))[0]
}
