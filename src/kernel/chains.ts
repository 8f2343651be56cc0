import { dirname, join, relative } from 'node:path'
import { sha256Digest } from '../attest/keys.ts'
import { counterName, rulesOf } from '../bytecode/verdict-rules.ts'
import { Hook, noPackets, type VerdictCounts } from '../domain/hook.ts'
import type {
  Attachment,
  ChainKernel,
  EntryImage,
  LoadedProgram,
  PinnedChain,
  PinnedGeneration,
} from '../ports/chain-kernel.ts'
import type { HookPoint } from './attachment.ts'
import { mapInfo, programInfo } from './bpf-info.ts'
import { mapById, sumPercpuWords } from './bpf-map.ts'
import { programById } from './bpf-program.ts'
import { listNames, openPin, pin, pinName, removeIfEmpty, removeTree, requirePin, unpin } from './bpffs.ts'
import type { Fd } from './fd.ts'
import { buildGeneration, generationFolder } from './generation.ts'
import { hookPoint } from './hook-point.ts'
import type { Loader } from './loader.ts'
import { listInterfaces, type NetnsPath, netnsByInode, netnsInode } from './netns.ts'
import { Originals } from './originals.ts'
import { waitForPackets } from './rcu.ts'
import { tcxSupported } from './tcx-hook.ts'

const GENERATION = /^gen-([1-9]\d{0,14})$/
const CHAIN = /^(\d+)-(\d+)-(xdp|tc-ingress|tc-egress)$/

/** Whose chains these are, and what they are loaded by. */
export interface ChainsOptions {
  readonly bpffs: string
  readonly agent: string
  /** The network namespace whose interfaces are looked after. */
  readonly netns: NetnsPath
  readonly loader: Loader
  /** How TC is attached; by default by TCX where the kernel has it. */
  readonly tc?: 'tcx' | 'clsact'
}

/** Where all that an agent pins lies. */
export const agentFolder = (bpffs: string, agent: string): string => join(bpffs, 'hookline', pinName(agent))

/** Where in it the state maps of its instances lie. */
export const mapsFolder = (root: string): string => join(root, 'maps')

/**
 * Chains on the hooks of one network namespace, kept below `<bpffs>/hookline/<agent>`:
 * `<netns inode>-<ifindex>-<hook>/{link,gen-<n>/{program,counters,links,arrays/<n>}}` and
 * `maps/<function>/<instance>/<map>-<layout>`.
 */
export function hookChains({
  bpffs,
  agent,
  netns,
  loader,
  tc = tcxSupported() ? 'tcx' : 'clsact',
}: ChainsOptions): ChainKernel {
  const root = agentFolder(bpffs, agent)
  const maps = mapsFolder(root)
  const originals = new Originals(loader, maps)
  const folderOf = (key: string): string => join(root, key)
  const pointOf = (key: string, allowGeneric = false): HookPoint => {
    const [, inode, ifindex, hook] = CHAIN.exec(key) ?? []
    const at = netnsByInode(Number(inode), netns)
    const generations = generationsIn(folderOf(key))
    return hookPoint({
      hook: Hook.parse(hook),
      ifindex: Number(ifindex),
      netns: at,
      linkPath: join(folderOf(key), 'link'),
      allowGeneric,
      owns: (programId) => generations.some((one) => one.programId === programId),
      tc,
    })
  }
  return {
    interfaces: () => listInterfaces(netns),
    keyOf: (ifindex, hook) => `${netnsInode(netns)}-${ifindex}-${hook}`,
    pinned: () =>
      listNames(root)
        .filter((name) => CHAIN.test(name))
        .map(
          (key): PinnedChain => ({
            key,
            link: pointOf(key).read(),
            generations: generationsIn(folderOf(key)),
          }),
        ),
    programOf,
    build: async ({ key }, generation, entries) => {
      const folder = generationFolder(folderOf(key), generation)
      const forms = await buildGeneration({ loader, originals, tc }, folder, entries)
      return { ...readGeneration(generation, folder), forms }
    },
    activate: (site, generation) =>
      activate(pointOf(site.key, site.allowGeneric), generationFolder(folderOf(site.key), generation)),
    counters: (key, generation, entries) =>
      readCounters(
        Hook.parse(CHAIN.exec(key)?.[3]),
        tc,
        generationFolder(folderOf(key), generation),
        entries,
      ),
    discard: (key, generation) => {
      const folder = generationFolder(folderOf(key), generation)
      // an array of programs is emptied with its last pin: not while a packet may look into it
      if (listNames(folder).some((name) => name === 'links' || name === 'arrays')) waitForPackets()
      removeTree(folder)
      removeIfEmpty(folderOf(key))
    },
    detach: (key) => {
      pointOf(key).detach()
      waitForPackets()
      removeTree(folderOf(key))
      removeRootIfEmpty(root)
    },
    purge: (objects, instances, fresh) => {
      const touched = (image: EntryImage): boolean =>
        image.maps.some(({ stateKey }) => instances.some((one) => stateKey?.startsWith(`${one}/`)))
      originals.forget((image) => touched(image) || objects.has(sha256Digest(image.bytes)))
      for (const instance of instances) endCallbacks(join(maps, pinName(instance)), fresh.has(instance))
    },
    collectMaps: (keep) => {
      originals.collect(keep)
      collectMaps(maps, root, new Set([...keep].map(pinName)))
    },
  }
}

/**
 * Ends the callbacks of all maps pinned in a folder: the kernel cancels timers and work queues of a map, and with them lets
 * go of the programs that they would call, when no descriptor and no pin is left, though programs still use it
 * (bpf_map_put_uref, kernel/bpf/syscall.c). Unless new ones are to be made, each is pinned again with what it holds.
 */
function endCallbacks(folder: string, fresh: boolean): void {
  for (const name of listNames(folder)) {
    const path = join(folder, name)
    let id: number | undefined
    {
      using map = openPin(path)
      id = map === undefined ? undefined : mapInfo(map).id
    }
    unpin(path)
    if (id === undefined || fresh) continue
    using again = openMap(id)
    if (again !== undefined) pin(again, path)
  }
}

/** A map by its id; undefined for one that nothing used but its pin. */
function openMap(id: number): Fd | undefined {
  try {
    return mapById(id)
  } catch {
    return undefined
  }
}

function generationsIn(folder: string): PinnedGeneration[] {
  return listNames(folder).flatMap((name) => {
    const number = GENERATION.exec(name)?.[1]
    return number === undefined ? [] : [readGeneration(Number(number), join(folder, name))]
  })
}

function readGeneration(generation: number, folder: string): PinnedGeneration {
  using program = openPin(join(folder, 'program'))
  if (program === undefined) return { generation, programId: 0, programTag: '' } // its build was cut short, or is going on
  const { id, tag } = programInfo(program)
  return { generation, programId: id, programTag: tag }
}

function programOf(programId: number): LoadedProgram | undefined {
  try {
    using program = programById(programId)
    const { tag, name } = programInfo(program)
    return { tag, name }
  } catch {
    return undefined
  }
}

/** One atomic step where something of ours runs, else the first attach. */
function activate(point: HookPoint, folder: string): Attachment {
  using program = requirePin(join(folder, 'program'))
  const running = point.read()
  if (running === undefined) return point.attach(program)
  if (running.programId === programInfo(program).id) return running
  return point.replace(program, running.programId)
}

function readCounters(hook: Hook, tc: 'tcx' | 'clsact', folder: string, entries: number): VerdictCounts[] {
  using counters = requirePin(join(folder, 'counters'))
  const rules = rulesOf(hook, tc)
  const words = sumPercpuWords(counters)
  return Array.from({ length: entries }, (_, position) => {
    const counts = noPackets(hook)
    for (let slot = 0; slot < rules.slots; slot++) {
      const name = counterName(hook, rules, slot)
      counts[name] = (counts[name] ?? 0) + Number(words[position * rules.slots + slot] ?? 0n)
    }
    return counts
  })
}

function collectMaps(maps: string, root: string, keep: ReadonlySet<string>): void {
  for (const functionName of listNames(maps))
    for (const instance of listNames(join(maps, functionName))) {
      const folder = join(maps, functionName, instance)
      for (const name of listNames(folder)) {
        const path = join(folder, name)
        if (!keep.has(relative(maps, path))) unpin(path)
      }
      removeIfEmpty(folder)
      removeIfEmpty(dirname(folder))
    }
  removeIfEmpty(maps)
  removeRootIfEmpty(root)
}

/** Leaves no empty folders of ours behind: `hookline/<agent>`, then `hookline`. */
function removeRootIfEmpty(root: string): void {
  removeIfEmpty(root)
  removeIfEmpty(dirname(root))
}
