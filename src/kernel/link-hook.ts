import { DomainError } from '../domain/errors.ts'
import type { AttachMode } from '../domain/hook.ts'
import type { Attachment } from '../ports/chain-kernel.ts'
import type { HookPoint, InterfaceAt } from './attachment.ts'
import { type LinkInfo, linkInfo } from './bpf-info.ts'
import { detachLink, updateLink } from './bpf-link.ts'
import { programById } from './bpf-program.ts'
import { openPin, pin, unpin } from './bpffs.ts'
import type { Fd } from './fd.ts'
import { KernelError } from './libc.ts'
import { inNetns } from './netns.ts'

const [EPERM, ENOENT, ENODEV] = [1, 2, 19] as const

/** What the kinds of links differ in. Both run in the interface's network namespace. */
export interface LinkKind {
  /** Throws `hook_busy`, `no_native_xdp`, KernelError. */
  create(program: Fd): Fd
  /** How this link is attached to our interface; undefined when it is not, or no longer. Throws KernelError. */
  modeOf(link: LinkInfo): AttachMode | undefined
}

/** A hook held by a link that is pinned at `linkPath`, in a folder that is there. The pin is what makes it ours. */
export function linkHook(at: InterfaceAt & { readonly linkPath: string }, kind: LinkKind): HookPoint {
  const { ifindex, linkPath } = at
  const attachmentOf = (link: Fd): Attachment | undefined => {
    const { id, programId, ...on } = linkInfo(link)
    // a link that followed its interface into another namespace is not on what has the index here
    if (on.ifindex !== ifindex) return undefined
    const mode = inside(at, () => kind.modeOf({ id, programId, ifindex }))
    return mode && { linkId: id, programId, ifindex, mode }
  }
  const read = (): Attachment | undefined => {
    using link = openPin(linkPath)
    return link && attachmentOf(link)
  }
  const attach = (program: Fd): Attachment => {
    if (read() !== undefined)
      throw new DomainError('hook_busy', `a chain of ours is attached to interface ${ifindex} already`)
    unpin(linkPath) // of an interface that is gone, and with it all that the link did
    using link = inside(at, () => create(kind, program, ifindex))
    const attached = link && attachmentOf(link)
    if (link === undefined || attached === undefined) throw missing(ifindex)
    pin(link, linkPath) // until here the link goes away with this process, and nothing is left half done
    return attached
  }
  const replace = (program: Fd, oldProgramId: number): Attachment => {
    using link = openPin(linkPath)
    const running = link && attachmentOf(link)
    if (link === undefined || running?.programId !== oldProgramId)
      throw changed(ifindex, oldProgramId, running?.programId)
    switchTo(link, program, oldProgramId, ifindex)
    const attached = attachmentOf(link)
    if (attached === undefined) throw missing(ifindex)
    return attached
  }
  const detach = (): void => {
    using link = openPin(linkPath)
    if (link !== undefined && linkInfo(link).ifindex > 0) detachLink(link)
    unpin(linkPath)
  }
  return { read, attach, replace, detach }
}

function create(kind: LinkKind, program: Fd, ifindex: number): Fd {
  try {
    return kind.create(program)
  } catch (cause) {
    if (cause instanceof KernelError && cause.errno === ENODEV) throw missing(ifindex, cause)
    throw cause
  }
}

/** The kernel compares the old program itself: between our look and this call somebody may have been quicker. */
function switchTo(link: Fd, program: Fd, oldProgramId: number, ifindex: number): void {
  try {
    using old = programById(oldProgramId)
    updateLink(link, program, old)
  } catch (cause) {
    const errno = cause instanceof KernelError ? cause.errno : 0
    if (errno === EPERM || errno === ENOENT) throw changed(ifindex, oldProgramId, undefined, cause)
    throw cause
  }
}

/** Runs `work` in the interface's network namespace; undefined when that is gone. Synchronous, as {@link inNetns}. */
export function inside<T>({ netns }: InterfaceAt, work: () => T): T | undefined {
  try {
    return inNetns(netns, work)
  } catch (error) {
    if (error instanceof DomainError && error.code === 'not_found') return undefined
    throw error
  }
}

/** The interface, or its network namespace, is gone. */
export const missing = (ifindex: number, cause?: unknown): DomainError =>
  new DomainError('interface_missing', `interface ${ifindex} is gone`, { cause })

/** What runs is not what was to be replaced. */
export function changed(ifindex: number, expected: number, found?: number, cause?: unknown): DomainError {
  const runs = found === undefined ? 'nothing of ours, or another program' : `program ${found}`
  const message = `interface ${ifindex} runs ${runs} where program ${expected} was to be replaced`
  return new DomainError('hook_changed', message, { cause })
}
