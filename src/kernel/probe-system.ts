import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  statfsSync,
} from 'node:fs'
import type { Answer } from '../domain/host-check.ts'
import { isBpffs } from './bpffs.ts'
import { libbpf } from './libbpf.ts'
import { libbpfVersion } from './probe-libbpf.ts'

/** Capabilities that the agent uses, by number (linux/capability.h). CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON too. */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n }
const KERNEL_BTF = '/sys/kernel/btf/vmlinux'
const SECURITYFS = '/sys/kernel/security'
/** SECURITYFS_MAGIC, linux/magic.h. */
const SECURITYFS_MAGIC = 0x73636673

/** Whether this process is root with the capabilities that the agent uses. */
export function probePrivileges(): Answer {
  const uid = process.getuid?.() ?? -1
  const lacking = missingCapabilities(readFileSync('/proc/self/status', 'utf8'))
  if (uid === 0 && lacking.length === 0)
    return { result: 'ok', detail: `root with ${Object.keys(CAPABILITIES).join(', ')}` }
  const detail = [
    ...(uid === 0 ? ['root'] : [`user ${uid}, not root`]),
    ...lacking.map((name) => `no ${name}`),
  ]
  // netlink asks for CAP_NET_ADMIN; bpf(2) and setns(2) are content with CAP_SYS_ADMIN
  const enough = uid === 0 && !lacking.includes('CAP_SYS_ADMIN')
  return { result: enough ? 'limited' : 'missing', detail: detail.join(', ') }
}

/** Names of the capabilities that a text of /proc/<pid>/status (proc(5)) does not show as effective. */
function missingCapabilities(status: string): string[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> bit) & 1n) === 0n)
    .map(([name]) => name)
}

/** Opens libbpf and every function of it that is used. */
export function probeLibbpf(): Answer {
  try {
    libbpf()
    return { result: 'ok', detail: `${libbpfVersion()}${libraryPath()}` }
  } catch (error) {
    return { result: 'missing', detail: error instanceof Error ? error.message : String(error) }
  }
}

/** The file that libbpf was loaded from (proc(5), maps). */
function libraryPath(): string {
  const path = /(\/\S*libbpf\.so\S*)$/m.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1]
  return path === undefined ? '' : `, ${path}`
}

/** Whether the kernel shows its types, in a file that can be read. */
export function probeBtf(): Answer {
  const BTF_MAGIC = 0xeb9f // linux/btf.h
  let fd: number
  try {
    fd = openSync(KERNEL_BTF, 'r')
  } catch (error) {
    return { result: 'missing', detail: error instanceof Error ? error.message : String(error) }
  }
  try {
    const head = Buffer.alloc(2)
    readSync(fd, head, 0, head.length, 0)
    if (head.readUInt16LE(0) !== BTF_MAGIC)
      return { result: 'missing', detail: `${KERNEL_BTF} holds no BTF of this byte order` }
    return { result: 'ok', detail: `${KERNEL_BTF}, ${fstatSync(fd).size} bytes` }
  } finally {
    closeSync(fd)
  }
}

/** Whether a BPF file system is mounted on `path` and may be written to, or could be mounted. */
export function probeBpffs(path: string): Answer {
  if (isBpffs(path)) {
    try {
      accessSync(path, constants.W_OK | constants.X_OK)
      return { result: 'ok', detail: `mounted on ${path}` }
    } catch {
      const detail = `mounted on ${path}, which this process may not write to`
      return { result: probePrivileges().result === 'ok' ? 'missing' : 'unknown', detail }
    }
  }
  const known = /^nodev\tbpf$/m.test(readFileSync('/proc/filesystems', 'utf8'))
  return known
    ? { result: 'limited', detail: `not mounted on ${path}` }
    : { result: 'missing', detail: 'the kernel has none' }
}

/** The kernel's lockdown mode (kernel_lockdown(7)). */
export function probeLockdown(): Answer {
  if (!isMountedAs(SECURITYFS, SECURITYFS_MAGIC))
    return { result: 'unknown', detail: `securityfs is not mounted on ${SECURITYFS}` }
  const path = `${SECURITYFS}/lockdown`
  if (!existsSync(path)) return { result: 'ok', detail: 'this kernel has none' }
  const text = readFileSync(path, 'utf8').trim()
  const mode = /\[(\w+)\]/.exec(text)?.[1] // such as `[none] integrity confidentiality`
  return { result: mode === 'confidentiality' ? 'limited' : 'ok', detail: `mode ${mode ?? text}` }
}

function isMountedAs(path: string, magic: number): boolean {
  try {
    return statfsSync(path).type === magic
  } catch {
    return false // not there
  }
}
