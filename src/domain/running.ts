import type { ErrorCode } from './errors.ts'
import type { FunctionPart } from './generation.ts'
import type { Hook } from './hook.ts'
import type { Digest } from './names.ts'

/** Something that is not as it should be. `cause` is the code of what stood in the way, where that has one of its own. */
export interface RunningProblem {
  readonly code: ErrorCode
  readonly message: string
  readonly cause?: ErrorCode
}

/** An entry of a chain that runs, as far as it was verified again. */
export interface RunningEntry {
  readonly position: number
  readonly function: string
  readonly instance: string
  readonly entry: string
  readonly release: string
  readonly object: Digest
  /** Who of the accepted signers signed its release; none where it does not verify, or where nothing of a release runs. */
  readonly signers: readonly string[]
  /** Where in the log its publication is, and when it was published; undefined where the policy has no log. */
  readonly logged: { readonly index: number; readonly at: string } | undefined
  readonly problem: RunningProblem | undefined
}

/** What is attached to one hook of one interface, against what should be. */
export interface RunningChain {
  readonly key: string
  /** Undefined where the agent remembers nothing of it. */
  readonly interface: string | undefined
  readonly netns: string
  readonly hook: Hook
  /** The generation that runs; undefined where it is none that the agent remembers. */
  readonly generation: number | undefined
  readonly functions: readonly FunctionPart[]
  /** Id of what the kernel says is attached; 0: nothing of this agent. */
  readonly programId: number
  /**
   * Its programs by the kernel's tags, the attached one first, each with the tag that its entries make; undefined where an
   * entry does not verify, so that nothing was made of it.
   */
  readonly programs: readonly { programId: number; tag: string; madeTag: string }[] | undefined
  readonly entries: readonly RunningEntry[]
  readonly problems: readonly RunningProblem[]
}

/** A function by the newest order that the node accepted, and why what runs of it is not what that orders. */
export interface RunningFunction {
  readonly name: string
  readonly revision: number
  readonly problem: RunningProblem | undefined
}

/** A program on a hook of an interface, whoever attached it; tag and name are the kernel's. */
export interface AttachedProgram {
  readonly interface: string
  readonly hook: Hook
  readonly programId: number
  readonly tag: string
  readonly name: string
}

/** All that a node runs, as it was verified. */
export interface Running {
  readonly chains: readonly RunningChain[]
  /** Those that an order gives to this node, and those of which that cannot be said any more. */
  readonly functions: readonly RunningFunction[]
  /** What others attached to the interfaces on which chains are, or should be. */
  readonly others: readonly AttachedProgram[]
}

/** The same, with where, by what and when it was verified. */
export interface VerifiedNode extends Running {
  readonly node: string
  /** The kernel's release. */
  readonly kernel: string
  /** The trust.yaml that it was verified by, beside what its owners signed. */
  readonly policy: string
  readonly at: string
}

/** All that is wrong on a node. */
export const allProblemsOf = ({ chains, functions }: Running): RunningProblem[] => [
  ...chains.flatMap(problemsOf),
  ...functions.flatMap(({ problem }) => problem ?? []),
]

/** All that is wrong with a chain. */
export const problemsOf = ({ entries, problems }: RunningChain): RunningProblem[] => [
  ...problems,
  ...entries.flatMap(({ problem }) => problem ?? []),
]
