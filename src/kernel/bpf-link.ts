import { attr } from './bpf-attr.ts'
import { Fd } from './fd.ts'
import { bpf, KernelError } from './libc.ts'

/** enum bpf_cmd, linux/bpf.h. */
const [BPF_LINK_CREATE, BPF_LINK_UPDATE, BPF_LINK_DETACH] = [28, 29, 34] as const
const [BPF_LINK_GET_FD_BY_ID, BPF_LINK_GET_NEXT_ID] = [30, 31] as const
const [ENOENT, EAGAIN] = [2, 11] as const
/** BPF_F_REPLACE, linux/bpf.h: the update holds only if the old program is the one named. */
const REPLACE = 1 << 2

/**
 * Attaches a program to an interface of the thread's network namespace. TCX takes it to the end of its list, where
 * nothing is said of a place (`tcx` of the attribute is zero). Throws KernelError.
 */
export function createLink(program: Fd, ifindex: number, attachType: number, flags = 0): Fd {
  const result = bpf(
    BPF_LINK_CREATE,
    attr(64, [
      [0, 'u32', program.number],
      [4, 'u32', ifindex],
      [8, 'u32', attachType],
      [12, 'u32', flags],
    ]),
  )
  if (result < 0) throw new KernelError(`attach to interface ${ifindex}`, -result)
  return new Fd(result)
}

/**
 * Replaces the link's program in one atomic step: every packet sees the old or the new one. `old` must be what runs
 * now, so that a change by someone else is not overwritten. Throws KernelError (EPERM: another one runs).
 */
export function updateLink(link: Fd, program: Fd, old: Fd): void {
  const result = bpf(
    BPF_LINK_UPDATE,
    attr(16, [
      [0, 'u32', link.number],
      [4, 'u32', program.number],
      [8, 'u32', REPLACE],
      [12, 'u32', old.number],
    ]),
  )
  if (result < 0) throw new KernelError('switch the chain', -result)
}

/** Takes the link off its interface. Throws KernelError. */
export function detachLink(link: Fd): void {
  const result = bpf(BPF_LINK_DETACH, attr(4, [[0, 'u32', link.number]]))
  if (result < 0) throw new KernelError('detach a link', -result)
}

/**
 * Opens a link by its id; undefined when there is none of that id, none any more, or none yet: one that somebody is only making
 * has an id before it is attached (EAGAIN, bpf_link_by_id of kernel/bpf/syscall.c). Throws KernelError.
 */
export function linkById(id: number): Fd | undefined {
  const result = bpf(BPF_LINK_GET_FD_BY_ID, attr(12, [[0, 'u32', id]]))
  if (result === -ENOENT || result === -EAGAIN) return undefined
  if (result < 0) throw new KernelError(`open link ${id}`, -result)
  return new Fd(result)
}

/** Ids of all links of this kernel, ascending, as far as they are there when they are asked for. Throws KernelError. */
export function* linkIds(): Generator<number> {
  for (let id = 0; ; ) {
    const request = attr(12, [[0, 'u32', id]])
    const result = bpf(BPF_LINK_GET_NEXT_ID, request)
    if (result === -ENOENT) return
    if (result < 0) throw new KernelError('list the links', -result)
    id = request.readUInt32LE(4)
    yield id
  }
}
