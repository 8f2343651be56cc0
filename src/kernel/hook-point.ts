import type { Hook } from '../domain/hook.ts'
import type { HookPoint } from './attachment.ts'
import { clsactHook } from './clsact-hook.ts'
import type { NetnsPath } from './netns.ts'
import { tcxHook, tcxSupported } from './tcx-hook.ts'
import { xdpHook } from './xdp-hook.ts'

/** One hook of one interface, and what makes an attachment there ours. */
export interface HookPlace {
  readonly hook: Hook
  readonly ifindex: number
  readonly netns: NetnsPath
  /** Where the link is pinned (XDP, TCX), in a folder of a BPF file system that is there. */
  readonly linkPath: string
  /** Whether XDP may run in the stack where the driver has none. */
  readonly allowGeneric: boolean
  /** Whether a program is one of ours (clsact, which has nothing to pin). */
  readonly owns: (programId: number) => boolean
  /** How to attach to TC. Default: TCX where the kernel has it. */
  readonly tc?: 'tcx' | 'clsact'
}

/** The one way to attach, read, replace and detach on a hook. Throws KernelError when it cannot be asked for TCX. */
export function hookPoint(at: HookPlace): HookPoint {
  if (at.hook === 'xdp') return xdpHook(at)
  const tc = at.tc ?? (tcxSupported() ? 'tcx' : 'clsact')
  return tc === 'tcx' ? tcxHook(at.hook, at) : clsactHook(at.hook, at)
}
