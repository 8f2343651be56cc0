import type { VerdictCounts, XdpVerdict } from '../domain/hook.ts'

/** An interface of the network namespace that the agent looks after. */
export interface NetworkInterface {
  readonly name: string
  readonly ifindex: number
  /** Whether a default route, IPv4 or IPv6, leaves through it. */
  readonly defaultRoute: boolean
}

/** A map of an object, and whether it outlives a change of its chain. */
export interface EntryMap {
  /** The map's name; that of a data section is the section's, such as `.bss`. */
  readonly name: string
  /**
   * Maps with equal keys are the same map: one instance's maps of this name, layout and size. It names the pin, so a
   * map is carried over exactly when nothing about it changed. Undefined: the map belongs to one generation.
   */
  readonly stateKey: string | undefined
  /** What the map holds when it is new, in the map's own sizes; part of its key. Undefined: nothing is written into it. */
  readonly content?: readonly { readonly key: Buffer; readonly value: Buffer }[]
}

/** One entry to load: verified bytes and what is set in them. */
export interface EntryImage {
  readonly entry: string
  /** The object's bytes, the very buffer whose digest and signature were checked. */
  readonly bytes: Buffer
  readonly license: string
  readonly gplCompatible: boolean
  readonly frags: boolean
  readonly proceed: readonly XdpVerdict[]
  readonly variables: readonly { readonly section: string; readonly offset: number; readonly value: Buffer }[]
  readonly maps: readonly EntryMap[]
}

/** A generation that is pinned, whether it runs or not. One whose build was cut short has program 0, which never runs. */
export interface PinnedGeneration {
  readonly generation: number
  readonly programId: number
  readonly programTag: string
}

/** What bpffs holds for one hook of one interface. */
export interface PinnedChain {
  /** Name of its folder: network namespace, interface and hook. */
  readonly key: string
  /** The pinned link; undefined when there is none, or when its interface is gone. */
  readonly link: { readonly id: number; readonly programId: number; readonly ifindex: number } | undefined
  readonly generations: readonly PinnedGeneration[]
}

/**
 * The kernel's side of chains. Each call is whole or undone; nothing is ever detached to repair. Throws kernel errors
 * (`kernel_refused`, `verifier_refused`, `hook_busy`, `chain_*`).
 */
export interface ChainKernel {
  interfaces(): NetworkInterface[]
  /** Folder name of the chain on an interface's XDP hook. */
  keyOf(ifindex: number): string
  /** All that this agent owns, read from bpffs. */
  pinned(): PinnedChain[]
  /** Loads, fuses and pins a generation off to the side; what runs is not touched. */
  build(key: string, generation: number, entries: readonly EntryImage[]): PinnedGeneration
  /** Makes a pinned generation the one that runs, by one atomic step, and gives the link. Attaches if nothing runs yet. */
  activate(key: string, generation: number, ifindex: number): { readonly linkId: number }
  /** Packets by verdict of each entry of a pinned generation. */
  counters(key: string, generation: number, entries: number): VerdictCounts[]
  /** Removes the pins of a generation that does not run. */
  discard(key: string, generation: number): void
  /** Detaches the chain and removes its pins. */
  detach(key: string): void
  /** Removes the pinned state maps whose keys are not in `keep`. */
  collectMaps(keep: ReadonlySet<string>): void
}
