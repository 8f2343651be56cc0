import type { Answer, CheckName, Finding, HostInterface } from '../domain/host-check.ts'
import { KernelError } from './libc.ts'
import { inNetns, listInterfaces, type NetnsPath } from './netns.ts'
import {
  probeClsact,
  probeLinkUpdate,
  probeTcx,
  probeXdpGeneric,
  probeXdpLink,
  probeXdpNative,
} from './probe-attach.ts'
import { interfaceDriver, interfaceMtu } from './probe-calls.ts'
import {
  probeBpfLoop,
  probeFrags,
  probeJit,
  probeKfuncs,
  probeLongJumps,
  probeMembarrier,
  probeMemory,
  probeMixedTailCalls,
  probeProgramTag,
  probeXdpLoad,
} from './probe-load.ts'
import { probeBpffs, probeBtf, probeLibbpf, probeLockdown, probePrivileges } from './probe-system.ts'
import { nativeXdp } from './xdp-features.ts'

/** The probe of each check; `bpffs` is the path of the BPF file system. */
const PROBES: Record<CheckName, (bpffs: string) => Answer> = {
  privileges: probePrivileges,
  libbpf: probeLibbpf,
  btf: probeBtf,
  bpffs: probeBpffs,
  'xdp-load': probeXdpLoad,
  'xdp-link': probeXdpLink,
  'link-update': probeLinkUpdate,
  'xdp-native': probeXdpNative,
  'xdp-generic': probeXdpGeneric,
  tcx: probeTcx,
  clsact: probeClsact,
  frags: probeFrags,
  'long-jumps': probeLongJumps,
  'mixed-tail-calls': probeMixedTailCalls,
  'bpf-loop': probeBpfLoop,
  kfuncs: probeKfuncs,
  jit: probeJit,
  membarrier: probeMembarrier,
  'program-tag': probeProgramTag,
  memory: probeMemory,
  lockdown: probeLockdown,
}
const [EPERM, EACCES] = [1, 13] as const

/**
 * Probes one thing of this host. To be called in a process of its own, which ends afterwards: what attaches moves the
 * whole process into a network namespace that ends with it, and a fault of the kernel or of libbpf may end it before.
 * A refusal is a finding; nothing is thrown for it.
 */
export function probeHost(check: CheckName, bpffs: string): Finding {
  try {
    return { check, ...PROBES[check](bpffs) }
  } catch (error) {
    const detail = error instanceof Error ? error.message : String(error)
    if (!(error instanceof KernelError)) return { check, result: 'unknown', detail }
    // who may not ask learns nothing of what there is
    const refused = error.errno === EPERM || error.errno === EACCES
    return { check, result: refused && !mayAsk() ? 'unknown' : 'missing', detail }
  }
}

const mayAsk = (): boolean => probePrivileges().result === 'ok'

/** The interfaces of a network namespace but the loopback, with their drivers. Nothing is attached. Throws KernelError. */
export function describeInterfaces(netns: NetnsPath): HostInterface[] {
  const listed = listInterfaces(netns)
  return inNetns(netns, () => {
    const native = nativeXdp(listed.map(({ ifindex }) => ifindex))
    return listed
      .map((found) => ({
        ...found,
        driver: interfaceDriver(found.name),
        mtu: interfaceMtu(found.name),
        nativeXdp: native.get(found.ifindex) ?? 'unknown',
      }))
      .filter(({ mtu }) => mtu > 0) // it went away between the calls
  })
}
