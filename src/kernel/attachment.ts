import type { Attachment } from '../ports/chain-kernel.ts'
import type { Fd } from './fd.ts'
import type { NetnsPath } from './netns.ts'

/** One hook of one interface, as one owner sees it: what others attached there is neither shown nor touched. */
export interface HookPoint {
  /** What of ours runs there; undefined when nothing does, or when the interface or its namespace is gone. */
  read(): Attachment | undefined
  /**
   * The first attach. A link is pinned before this returns; a process that dies before leaves nothing behind. Throws
   * `hook_busy`, `no_native_xdp`, `interface_missing`, KernelError.
   */
  attach(program: Fd): Attachment
  /**
   * One atomic step to this program from the one that runs: every packet sees the old or the new one. Throws
   * `hook_changed` when what runs is not `oldProgramId`, or KernelError.
   */
  replace(program: Fd, oldProgramId: number): Attachment
  /** Takes ours off; nothing to do when nothing of ours is there. Throws KernelError. */
  detach(): void
}

/** Where an interface is: its index counts in its network namespace only. */
export interface InterfaceAt {
  readonly ifindex: number
  readonly netns: NetnsPath
}
