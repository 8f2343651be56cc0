import { z } from 'zod'

/**
 * What a probe found: `ok`; `limited`, the agent runs but does with less; `missing`; `unknown`, it could not be tried.
 */
const CheckResult = z.enum(['ok', 'limited', 'missing', 'unknown'])

/** What is to be said of one check, whatever the host. */
interface Check {
  /** For people, a few words. */
  readonly title: string
  /** Without it the agent cannot run. */
  readonly required?: true
  /** What the agent does with each result. */
  readonly ok: string
  readonly limited?: string
  readonly missing?: string
  /** What can be done about a result that is not `ok`. */
  readonly remedy: string
  /** What can be done so that it can be tried, beyond being root. */
  readonly unknown?: string
}

const NEWER_KERNEL = 'run a kernel that has it'

/**
 * Every check of a host, in the order in which they are tried and shown. What attaches comes last: its process leaves
 * the network namespace whose settings the others read. Names are part of the JSON output.
 */
export const CHECKS = {
  privileges: {
    title: 'root and capabilities',
    required: true,
    ok: 'the agent may do its work',
    limited: 'XDP chains can be had, TC by clsact cannot',
    missing: 'the agent does not start, or can attach nothing',
    remedy: 'run it as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN',
  },
  libbpf: {
    title: 'libbpf',
    required: true,
    ok: 'objects are opened and relocated by it',
    missing: 'no object can be opened',
    remedy: 'install libbpf 1.0 or later (Debian: apt-get install libbpf1)',
  },
  btf: {
    title: 'kernel BTF',
    ok: 'objects are fitted to this kernel (CO-RE)',
    missing: 'releases that need CO-RE or ask for `btf` are refused',
    remedy: 'run a kernel built with CONFIG_DEBUG_INFO_BTF',
  },
  bpffs: {
    title: 'BPF file system',
    required: true,
    ok: 'chains, programs and maps are pinned there',
    limited: 'the agent mounts it when it starts',
    missing: 'nothing can be pinned, so no chain would outlive the agent',
    remedy: 'mount it: mount -t bpf bpf /sys/fs/bpf',
  },
  jit: {
    title: 'JIT compiler',
    ok: 'chains run as machine code',
    limited: 'chains are interpreted, several times slower',
    remedy: 'switch it on: sysctl net.core.bpf_jit_enable=1',
  },
  'xdp-load': {
    title: 'XDP programs',
    required: true,
    ok: 'chains are loaded as XDP programs',
    missing: 'no chain can be loaded',
    remedy: 'run a kernel built with CONFIG_BPF_SYSCALL, and allow its use',
  },
  frags: {
    title: 'multi-buffer XDP',
    ok: 'multi-buffer programs can be chained',
    missing: 'multi-buffer programs are refused',
    remedy: NEWER_KERNEL,
  },
  'long-jumps': {
    title: '32-bit jumps',
    ok: 'a chain’s jumps may be of any length',
    missing: 'a jump in a chain spans at most 32767 instructions',
    remedy: NEWER_KERNEL,
  },
  'mixed-tail-calls': {
    title: 'tail calls with subprograms',
    ok: 'programs may have subprograms and tail calls at once',
    missing: 'programs with both are refused',
    remedy: 'run a kernel whose JIT compiler can do both',
  },
  'bpf-loop': {
    title: 'bpf_loop',
    ok: 'the kernel takes programs that loop by callbacks',
    missing: 'the kernel refuses programs that loop by callbacks',
    remedy: NEWER_KERNEL,
  },
  kfuncs: {
    title: 'kernel functions',
    ok: 'the kernel takes XDP programs that call its functions',
    missing: 'the kernel refuses XDP programs that call its functions',
    remedy: 'run a kernel with BTF that has them',
  },
  'program-tag': {
    title: 'program tag',
    ok: 'anyone can work out which tag a chain must show',
    limited: 'the tags of chains cannot be compared with what was built',
    remedy: 'none is needed to run chains',
  },
  memory: {
    title: 'memory accounting',
    ok: 'memory of maps and programs counts for the agent’s cgroup',
    limited: 'locked memory is limited; libbpf lifts the limit when the agent loads',
    missing: 'no map can be made, so most programs are refused',
    remedy: 'raise the limit of locked memory: ulimit -l unlimited',
  },
  membarrier: {
    title: 'waiting for RCU',
    ok: 'the agent can wait until no packet is in an old chain',
    missing: 'an old chain is let go after a pause only',
    remedy: 'none is needed; the call is not there with nohz_full',
  },
  lockdown: {
    title: 'kernel lockdown',
    ok: 'nothing is refused for it',
    limited: 'programs that read kernel memory are refused in mode confidentiality',
    remedy: 'none is needed for chains of packet programs',
    unknown: 'to see it: mount -t securityfs securityfs /sys/kernel/security',
  },
  'xdp-link': {
    title: 'XDP links',
    required: true,
    ok: 'each chain is held by a pinned link',
    missing: 'no chain can be attached',
    remedy: NEWER_KERNEL,
  },
  'link-update': {
    title: 'atomic link update',
    required: true,
    ok: 'a changed chain takes over in one step, only from the program it replaces',
    missing: 'no chain can be changed without a gap',
    remedy: NEWER_KERNEL,
  },
  'xdp-native': {
    title: 'native XDP (veth)',
    ok: 'chains run in the driver; each other driver decides for itself',
    missing: 'veth interfaces get no chain; each other driver decides for itself',
    remedy: 'run a kernel whose veth driver has XDP',
    unknown: 'run it as root, with iproute2 installed and a kernel that has veth',
  },
  'xdp-generic': {
    title: 'generic XDP',
    ok: 'would carry chains on drivers without native XDP',
    missing: 'drivers without native XDP get no chain',
    remedy: NEWER_KERNEL,
  },
  tcx: {
    title: 'TC by TCX',
    ok: 'TC chains are held by pinned TCX links',
    missing: 'TC chains are filters of clsact',
    remedy: 'none is needed where clsact is there',
  },
  clsact: {
    title: 'TC by clsact',
    ok: 'TC chains can be had where TCX is missing',
    missing: 'TC chains can be had by TCX only',
    remedy: 'none is needed where TCX is there',
  },
} as const satisfies Record<string, Check>

export type CheckName = keyof typeof CHECKS
/** Names of all checks, in their order. */
export const CHECK_NAMES = Object.keys(CHECKS) as CheckName[]

/** Characters of a probe's detail: it may quote a verifier's log. */
const DETAIL_CHARS = 400

/** What one probe found out about this host. */
export const Finding = z.strictObject({
  check: z.enum(CHECK_NAMES),
  result: CheckResult,
  detail: z.string().transform((text) => text.slice(0, DETAIL_CHARS)),
})
export type Finding = z.infer<typeof Finding>
/** The same, by a probe that knows which check it is. */
export type Answer = Omit<Finding, 'check'>

/** An interface as the doctor shows it. `driver` is empty where the kernel does not say. */
export const HostInterface = z.strictObject({
  name: z.string(),
  ifindex: z.int(),
  driver: z.string(),
  mtu: z.int(),
  /** Whether the driver says that it runs XDP itself; kernels before 6.3 do not tell. */
  nativeXdp: z.enum(['yes', 'no', 'unknown']),
  defaultRoute: z.boolean(),
})
export type HostInterface = z.infer<typeof HostInterface>

/** What is known of a host without probing. */
export interface HostFacts {
  /** Release of uname(2). */
  readonly kernel: string
  readonly arch: string
  /** Processors that the process may use. */
  readonly cores: number
  /** Value of the sysctl kernel.unprivileged_bpf_disabled; undefined where there is none. */
  readonly unprivilegedBpfDisabled: number | undefined
}

/** All that `hookline doctor` finds out. */
export interface HostReport {
  readonly facts: HostFacts
  readonly findings: readonly Finding[]
  readonly interfaces: readonly HostInterface[]
  /** Why there are no interfaces to show, where that is so. */
  readonly interfacesError?: string
}

/** A finding with what follows from it. */
export interface Judgement extends Finding {
  readonly title: string
  readonly required: boolean
  /** What the agent does with it. */
  readonly agent: string
  /** Empty where nothing needs to be done. */
  readonly remedy: string
}

/** Says what the agent makes of a finding. */
export function judge(finding: Finding): Judgement {
  const check: Check = CHECKS[finding.check]
  const base = { ...finding, title: check.title, required: check.required ?? false }
  switch (finding.result) {
    case 'ok':
      return { ...base, agent: check.ok, remedy: '' }
    case 'limited':
      return { ...base, agent: check.limited ?? '', remedy: check.remedy }
    case 'missing':
      return { ...base, agent: check.missing ?? '', remedy: check.remedy }
    case 'unknown':
      return {
        ...base,
        agent: 'not known until it can be tried',
        remedy: check.unknown ?? 'run `hookline doctor` as root, with CAP_SYS_ADMIN and CAP_NET_ADMIN',
      }
  }
}

/** The findings that keep the agent from running on a host; none when it can run there. */
export const obstacles = (findings: readonly Finding[]): Judgement[] =>
  findings
    .map(judge)
    .filter(({ required, result }) => required && (result === 'missing' || result === 'unknown'))
