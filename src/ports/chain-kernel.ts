import type { AttachMode, EntryForm, Hook, Verdict, VerdictCounts } from '../domain/hook.ts'
import type { Digest } from '../domain/names.ts'
import type { AttachedProgram } from '../domain/running.ts'

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

/** A function of an entry's program, in the order in which libbpf lays them: the entry's own first. */
interface EntryFunction {
  readonly name: string
  /** Instruction slots of 8 bytes. */
  readonly slots: number
  /** Its FUNC in the object's BTF; undefined when the object does not say. */
  readonly typeId: number | undefined
  /** Whether the kernel is to verify it by its types alone; a hidden one is static, whatever its BTF says. */
  readonly global: boolean
}

/** One entry to load: verified bytes and what is set in them. */
export interface EntryImage {
  readonly entry: string
  readonly hook: Hook
  /** Made here, not of an object: it drops every packet. */
  readonly builtin?: 'drop'
  /** The object's bytes, the very buffer whose digest and signature were checked. */
  readonly bytes: Buffer
  readonly license: string
  readonly gplCompatible: boolean
  readonly frags: boolean
  /** Verdicts after which the chain goes on. */
  readonly proceed: readonly Verdict[]
  /** Verdict where its successor is unexpectedly absent. */
  readonly onMissing: 'pass' | 'drop'
  readonly variables: readonly { readonly section: string; readonly offset: number; readonly value: Buffer }[]
  readonly maps: readonly EntryMap[]
  readonly functions: readonly EntryFunction[]
  /** The object's BTF, whole; undefined when it has none. */
  readonly btf: Buffer | undefined
  /** Kernel functions that the entry calls, by name. */
  readonly kernelFunctions: readonly string[]
  /** Programs of the object that its arrays of programs hold from the start. */
  readonly arrayPrograms: readonly string[]
  /** Tail calls of its own that a packet may make in it. */
  readonly tailCalls: number
}

/** A generation that is pinned, whether it runs or not. One whose build was cut short has program 0, which never runs. */
export interface PinnedGeneration {
  readonly generation: number
  readonly programId: number
  readonly programTag: string
}

/** What runs on a hook. `linkId` is 0 where the kernel has no link for it (clsact). */
export interface Attachment {
  readonly linkId: number
  readonly programId: number
  readonly ifindex: number
  readonly mode: AttachMode
}

/** A program by what the kernel tells anyone of it: `tag` is of its instructions (16 hex digits), `name` what its author calls it. */
export interface LoadedProgram {
  readonly tag: string
  readonly name: string
}

/** What bpffs holds for one hook of one interface. */
export interface PinnedChain {
  /** Name of its folder: network namespace, interface and hook. */
  readonly key: string
  /** What runs; undefined when nothing does, or when its interface is gone. */
  readonly link: Attachment | undefined
  readonly generations: readonly PinnedGeneration[]
}

/** A generation just built, and the form of each of its entries. */
export interface BuiltGeneration extends PinnedGeneration {
  readonly forms: readonly EntryForm[]
}

/** Where a chain is to run. */
export interface ChainSite {
  readonly key: string
  readonly hook: Hook
  readonly at: NetworkInterface
  /** Whether XDP may run in the stack where the driver has none of its own. */
  readonly allowGeneric: boolean
}

/**
 * The kernel's side of chains. Each call is whole or undone; nothing is ever detached to repair. Throws kernel errors
 * (`kernel_refused`, `verifier_refused`, `hook_busy`, `chain_*`).
 */
export interface ChainKernel {
  interfaces(): NetworkInterface[]
  /** Folder name of the chain on an interface's hook. */
  keyOf(ifindex: number, hook: Hook): string
  /** All that this agent owns, read from bpffs. */
  pinned(): PinnedChain[]
  /** A program by its id, whoever loaded it; undefined where there is none any more. */
  programOf(programId: number): LoadedProgram | undefined
  /** Loads, fuses and pins a generation off to the side; what runs is not touched. */
  build(site: ChainSite, generation: number, entries: readonly EntryImage[]): Promise<BuiltGeneration>
  /** Makes a pinned generation the one that runs, by one atomic step. Attaches if nothing runs yet. */
  activate(site: ChainSite, generation: number): Attachment
  /** Packets by verdict of each entry of a pinned generation. */
  counters(key: string, generation: number, entries: number): VerdictCounts[]
  /** Removes the pins of a generation that does not run, once no packet is on its way through it. */
  discard(key: string, generation: number): void
  /** Detaches the chain and removes its pins. */
  detach(key: string): void
  /**
   * Ends what objects left behind: nothing of them is kept for later builds, and the state maps of the instances, each
   * `<function>/<instance>`, run no callback any more. Those in `fresh` lose their state maps: the next build makes new ones.
   */
  purge(objects: ReadonlySet<Digest>, instances: readonly string[], fresh: ReadonlySet<string>): void
  /** Removes the pinned state maps whose keys are not in `keep`. */
  collectMaps(keep: ReadonlySet<string>): void
}

/** A program of a chain that runs, and what it would be if it were what the chain's entries make. Tags are in hex. */
export interface ComparedProgram {
  /** 0 where there is none. */
  readonly programId: number
  /** As the kernel tells it; empty where there is no program. */
  readonly tag: string
  /** As computed from the entries. */
  readonly madeTag: string
}

/** A chain that runs, held against its entries. */
export interface ComparedChain {
  /** The one that is attached first, then those that it tail-calls. */
  readonly programs: readonly ComparedProgram[]
  /** What is not as the entries make it, a sentence each; none: the chain is what they make. */
  readonly differences: readonly string[]
}

/** Looks at chains that run. It attaches, pins and changes nothing. */
export interface ChainExaminer extends Pick<ChainKernel, 'interfaces' | 'keyOf' | 'pinned'> {
  /** All programs on the hooks of an interface, ours too; none when it is gone. Throws kernel errors. */
  attached(at: NetworkInterface): AttachedProgram[]
  /**
   * Makes the chain of these entries anew, without attaching it, and compares: programs by their tags and by the instructions
   * that the kernel made of them, the maps that they use, what constants hold, the programs that arrays of programs hold
   * likewise; and looks for programs that run in place of a function. `programId` is what is attached, of the generation of
   * that number. Throws what loading an entry does, or the chain.
   */
  compare(
    key: string,
    generation: number,
    programId: number,
    entries: readonly EntryImage[],
  ): Promise<ComparedChain>
}
