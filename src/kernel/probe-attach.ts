import { execFileSync } from 'node:child_process'
import type { Answer } from '../domain/host-check.ts'
import { LIMITS } from '../domain/limits.ts'
import { attr } from './bpf-attr.ts'
import { xdpLinkInfo } from './bpf-info.ts'
import { Fd } from './fd.ts'
import { bpf, interfaceIndex, KernelError } from './libc.ts'
import { unshareNetns } from './probe-calls.ts'
import { attachByClsact } from './probe-libbpf.ts'
import { loadQuestion, PROG_TYPE_TC, verdictProgram } from './probe-program.ts'

/** BPF_LINK_CREATE and BPF_LINK_UPDATE of enum bpf_cmd; attach types, linux/bpf.h. */
const [BPF_LINK_CREATE, BPF_LINK_UPDATE] = [28, 29] as const
const [BPF_XDP, BPF_TCX_INGRESS] = [37, 46] as const
/** XDP_FLAGS_SKB_MODE and XDP_FLAGS_DRV_MODE, linux/if_link.h. */
const [GENERIC, NATIVE] = [1 << 1, 1 << 2] as const
/** BPF_F_REPLACE, linux/bpf.h. */
const REPLACE = 1 << 2
const PASS = 2

/** A place to attach to that nobody else sees, made anew for a process that then ends with all that is in it. */
let alone = false

/** Takes this process into a network namespace of its own, once. Throws KernelError. */
function beAlone(): void {
  if (alone) return
  unshareNetns()
  alone = true
}

/** Index of the loopback of the own namespace. */
function ownLoopback(): number {
  beAlone()
  return interfaceIndex('lo')
}

/** Index of one end of a veth pair in the own namespace, which is made when it is not there; undefined without `ip`. */
function ownVeth(): number | undefined {
  beAlone()
  const NAME = 'probe0'
  const found = interfaceIndex(NAME)
  if (found > 0) return found
  try {
    execFileSync('ip', ['link', 'add', NAME, 'type', 'veth', 'peer', 'name', 'probe1'], {
      stdio: 'ignore',
      timeout: LIMITS.probe_ms / 2,
    })
  } catch {
    return undefined
  }
  return interfaceIndex(NAME)
}

function link(program: Fd, ifindex: number, attachType: number, flags: number): Fd {
  const request = attr(64, [
    [0, 'u32', program.number],
    [4, 'u32', ifindex],
    [8, 'u32', attachType],
    [12, 'u32', flags],
  ])
  const result = bpf(BPF_LINK_CREATE, request)
  if (result < 0) throw new KernelError('attach', -result)
  return new Fd(result)
}

/** Attaches an XDP program by a link, in the mode that the kernel chooses. Throws KernelError. */
export function probeXdpLink(): Answer {
  using program = loadQuestion(verdictProgram(PASS))
  link(program, ownLoopback(), BPF_XDP, 0).close()
  return { result: 'ok', detail: 'attached to a loopback' }
}

/** Attaches an XDP program behind the driver. Throws KernelError. */
export function probeXdpGeneric(): Answer {
  using program = loadQuestion(verdictProgram(PASS))
  link(program, ownLoopback(), BPF_XDP, GENERIC).close()
  return { result: 'ok', detail: 'attached to a loopback' }
}

/** Attaches an XDP program in the veth driver. Throws KernelError. */
export function probeXdpNative(): Answer {
  const veth = ownVeth()
  if (veth === undefined)
    return {
      result: 'unknown',
      detail: 'no veth pair could be made: no `ip` (iproute2), or a kernel without veth',
    }
  using program = loadQuestion(verdictProgram(PASS))
  link(program, veth, BPF_XDP, NATIVE).close()
  return { result: 'ok', detail: 'attached in driver mode' }
}

/** Replaces a link's program where the right old one is named, and is refused where it is not. Throws KernelError. */
export function probeLinkUpdate(): Answer {
  using first = loadQuestion(verdictProgram(PASS))
  using second = loadQuestion(verdictProgram(PASS))
  using held = link(first, ownLoopback(), BPF_XDP, 0)
  const before = xdpLinkInfo(held).programId
  if (update(held, second, second) >= 0)
    return { result: 'missing', detail: 'a wrong old program was not noticed' }
  const result = update(held, second, first)
  if (result < 0) throw new KernelError('replace a link’s program', -result)
  return xdpLinkInfo(held).programId === before
    ? { result: 'missing', detail: 'the link still has its first program' }
    : { result: 'ok', detail: 'replaced; refused when a wrong old program was named' }
}

const update = (held: Fd, program: Fd, old: Fd): number =>
  bpf(
    BPF_LINK_UPDATE,
    attr(16, [
      [0, 'u32', held.number],
      [4, 'u32', program.number],
      [8, 'u32', REPLACE],
      [12, 'u32', old.number],
    ]),
  )

/** Attaches a TC program by a TCX link. Throws KernelError. */
export function probeTcx(): Answer {
  using program = loadQuestion(verdictProgram(0), { type: PROG_TYPE_TC })
  link(program, ownLoopback(), BPF_TCX_INGRESS, 0).close()
  return { result: 'ok', detail: 'attached to a loopback' }
}

/** Attaches a TC program as a filter of a clsact qdisc, as libbpf does it. Throws KernelError, `missing_dependency`. */
export function probeClsact(): Answer {
  using program = loadQuestion(verdictProgram(0), { type: PROG_TYPE_TC })
  const result = attachByClsact(ownLoopback(), program.number)
  if (result < 0) throw new KernelError('attach by clsact', -result)
  return { result: 'ok', detail: 'attached to a loopback' }
}
