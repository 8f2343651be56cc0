import { dirname, join, relative } from 'node:path'
import { COUNTER_SLOTS, ENTRY_COUNTER_BYTES } from '../bytecode/fuse.ts'
import { noPackets, type VerdictCounts, XDP_COUNTERS } from '../domain/hook.ts'
import type { ChainKernel, EntryImage, PinnedChain, PinnedGeneration } from '../ports/chain-kernel.ts'
import { programInfo, xdpLinkInfo } from './bpf-info.ts'
import { sumPercpuWords } from './bpf-map.ts'
import { programById } from './bpf-program.ts'
import { listNames, openPin, pin, pinName, removeIfEmpty, removeTree, requirePin, unpin } from './bpffs.ts'
import { buildGeneration, generationFolder } from './generation.ts'
import { inNetns, listInterfaces, type NetnsPath, netnsInode } from './netns.ts'
import { createXdpLink, detachLink, updateXdpLink } from './xdp-link.ts'

const GENERATION = /^gen-([1-9]\d{0,14})$/
const CHAIN = /^\d+-\d+-xdp$/

/**
 * Chains on the XDP hooks of one network namespace, kept below `<bpffs>/hookline/<agent>`:
 * `<netns inode>-<ifindex>-xdp/{link,gen-<n>/{program,counters}}` and `maps/<function>/<instance>/<map>-<layout>`.
 */
export function xdpChains(bpffs: string, agent: string, netns: NetnsPath): ChainKernel {
  const root = join(bpffs, 'hookline', pinName(agent))
  const maps = join(root, 'maps')
  const folderOf = (key: string): string => join(root, key)
  const linkOf = (key: string): string => join(root, key, 'link')
  return {
    interfaces: () => listInterfaces(netns),
    keyOf: (ifindex) => `${netnsInode(netns)}-${ifindex}-xdp`,
    pinned: () =>
      listNames(root)
        .filter((name) => CHAIN.test(name))
        .map((key) => readChain(key, folderOf(key))),
    build: (key, generation, entries: readonly EntryImage[]) => {
      const folder = generationFolder(folderOf(key), generation)
      buildGeneration(folder, maps, entries)
      return readGeneration(generation, folder)
    },
    activate: (key, generation, ifindex) => ({
      linkId: activate(linkOf(key), generationFolder(folderOf(key), generation), ifindex, netns),
    }),
    counters: (key, generation, entries) =>
      readCounters(generationFolder(folderOf(key), generation), entries),
    discard: (key, generation) => {
      removeTree(generationFolder(folderOf(key), generation))
      removeIfEmpty(folderOf(key))
    },
    detach: (key) => detach(folderOf(key), linkOf(key), root),
    collectMaps: (keep) => collectMaps(maps, root, new Set([...keep].map(pinName))),
  }
}

function readChain(key: string, folder: string): PinnedChain {
  const generations: PinnedGeneration[] = []
  for (const name of listNames(folder)) {
    const number = GENERATION.exec(name)?.[1]
    if (number === undefined) continue
    generations.push(readGeneration(Number(number), join(folder, name)))
  }
  using link = openPin(join(folder, 'link'))
  const info = link === undefined ? undefined : xdpLinkInfo(link)
  return { key, link: info !== undefined && info.ifindex > 0 ? info : undefined, generations }
}

function readGeneration(generation: number, folder: string): PinnedGeneration {
  using program = openPin(join(folder, 'program'))
  if (program === undefined) return { generation, programId: 0, programTag: '' } // its build was cut short, or is going on
  const { id, tag } = programInfo(program)
  return { generation, programId: id, programTag: tag }
}

/** One BPF_LINK_UPDATE where a link runs, else the first attach. The new link is pinned before anything is said. */
function activate(linkPath: string, folder: string, ifindex: number, netns: NetnsPath): number {
  using program = requirePin(join(folder, 'program'))
  using link = openPin(linkPath)
  if (link !== undefined) {
    const running = xdpLinkInfo(link)
    if (running.ifindex > 0) {
      if (running.programId === programInfo(program).id) return running.id
      using old = programById(running.programId)
      updateXdpLink(link, program, old)
      return running.id
    }
    unpin(linkPath) // its interface is gone, and with it all that the link did
  }
  using created = inNetns(netns, () => createXdpLink(program, ifindex))
  pin(created, linkPath) // until here the link goes away with this process, and nothing is left half done
  return xdpLinkInfo(created).id
}

function readCounters(folder: string, entries: number): VerdictCounts[] {
  using counters = requirePin(join(folder, 'counters'))
  const words = sumPercpuWords(counters, ENTRY_COUNTER_BYTES * entries)
  return Array.from({ length: entries }, (_, position) => {
    const counts = noPackets()
    for (const [slot, verdict] of XDP_COUNTERS.entries())
      counts[verdict] = Number(words[position * COUNTER_SLOTS + slot] ?? 0n)
    return counts
  })
}

function detach(folder: string, linkPath: string, root: string): void {
  using link = openPin(linkPath)
  if (link !== undefined && xdpLinkInfo(link).ifindex > 0) detachLink(link)
  removeTree(folder)
  removeRootIfEmpty(root)
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
