import koffi from 'koffi'
import { DomainError } from '../domain/errors.ts'

const libc = koffi.load('libc.so.6')

/** syscall(2) as bpf(2) needs it; the attribute buffer is read and written in place. */
const rawSyscall = libc.func('long syscall(long number, int command, void *attr, uint32_t size)') as (
  number: number,
  command: number,
  attr: Buffer,
  size: number,
) => number
const membarrierCall = libc.func('long syscall(long number, int command, uint32_t flags, int cpu)') as (
  number: number,
  command: number,
  flags: number,
  cpu: number,
) => number
const setnsCall = libc.func('int setns(int fd, int type)') as (fd: number, type: number) => number
const closeCall = libc.func('int close(int fd)') as (fd: number) => number
const nameToIndex = libc.func('uint32_t if_nametoindex(const char *name)') as (name: string) => number
const socketCall = libc.func('int socket(int domain, int type, int protocol)') as (
  domain: number,
  type: number,
  protocol: number,
) => number
const sendCall = libc.func('long send(int fd, const void *bytes, size_t size, int flags)') as (
  fd: number,
  bytes: Buffer,
  size: number,
  flags: number,
) => number
const receiveCall = libc.func('long recv(int fd, void *bytes, size_t size, int flags)') as (
  fd: number,
  bytes: Buffer,
  size: number,
  flags: number,
) => number
const mountCall = libc.func(
  'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
) as (source: string, target: string, type: string, flags: number, data: string | null) => number

/** __NR_bpf by architecture (asm/unistd_64.h, asm-generic/unistd.h). */
const NR_BPF: Partial<Record<NodeJS.Architecture, number>> = {
  x64: 321,
  arm64: 280,
  riscv64: 280,
  loong64: 280,
}

/** __NR_membarrier by architecture. */
const NR_MEMBARRIER: Partial<Record<NodeJS.Architecture, number>> = {
  x64: 324,
  arm64: 283,
  riscv64: 283,
  loong64: 283,
}

/** Highest errno that the kernel returns as an error (MAX_ERRNO, linux/err.h). */
const MAX_ERRNO = 4095

/** What libbpf says by numbers of its own, from 4000 on (enum libbpf_errno, bpf/libbpf_legacy.h). */
const LIBBPF_ERRORS = [
  'libbpf cannot read it as ELF',
  'libbpf finds its format invalid',
  'libbpf finds no kernel version in it',
  'libbpf finds another byte order',
  'libbpf failed within',
  'libbpf cannot relocate it',
  'libbpf cannot load it',
]

/** Name of an errno, such as `EPERM`; `errno N` for one that nobody names. */
function errnoName(errno: number): string {
  const ofLibbpf = LIBBPF_ERRORS[errno - 4000]
  if (ofLibbpf !== undefined) return ofLibbpf
  const named = Object.entries(koffi.os.errno).find(([, value]) => value === errno)
  return named?.[0] ?? `errno ${errno}`
}

/** A refusal by the kernel or libbpf. `errno` is positive. */
export class KernelError extends DomainError {
  readonly errno: number
  constructor(what: string, errno: number, log?: string) {
    const hint = errno === 1 || errno === 13 ? ' (needs root, or CAP_BPF and CAP_NET_ADMIN)' : ''
    super('kernel_refused', `${what}: ${errnoName(errno)}${hint}`, log === undefined ? {} : { log })
    this.errno = errno
  }
}

/**
 * bpf(2): gives its non-negative result, or the negated errno. `attr` is one zero-padded `union bpf_attr`
 * (linux/bpf.h). Synchronous on purpose: errno and network namespace belong to this thread.
 */
export function bpf(command: number, attr: Buffer): number {
  const number = NR_BPF[process.arch]
  if (number === undefined)
    throw new DomainError('missing_dependency', `no bpf(2) number is known for ${process.arch}`)
  const result = Number(rawSyscall(number, command, attr, attr.length))
  return result >= 0 ? result : -Math.min(koffi.errno(), MAX_ERRNO)
}

/** membarrier(2); false where the kernel does not do it. */
export function membarrier(command: number): boolean {
  const number = NR_MEMBARRIER[process.arch]
  return number !== undefined && Number(membarrierCall(number, command, 0, 0)) === 0
}

/** Address of a buffer's first byte; valid as long as the caller holds the buffer. */
export const addressOf = (buffer: Buffer): bigint => koffi.address(buffer)

/** setns(2) into a network namespace. Throws KernelError. */
export function enterNetns(fd: number): void {
  const CLONE_NEWNET = 0x4000_0000
  if (setnsCall(fd, CLONE_NEWNET) !== 0) throw new KernelError('enter network namespace', koffi.errno())
}

/** close(2); a descriptor that is already gone is ignored. */
export const closeFd = (fd: number): void => void closeCall(fd)

/** Index of an interface in the thread's network namespace, or 0. */
export const interfaceIndex = (name: string): number => nameToIndex(name)

/** Mounts a BPF file system on `target`. Throws KernelError. */
export function mountBpffs(target: string): void {
  if (mountCall('bpf', target, 'bpf', 0, 'mode=0700') !== 0)
    throw new KernelError(`mount a BPF file system on ${target}`, koffi.errno())
}

/** Opens a NETLINK_ROUTE socket in the thread's network namespace (rtnetlink(7)). Throws KernelError. */
export function openRouteSocket(): number {
  const [AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC, NETLINK_ROUTE] = [16, 3, 0x8_0000, 0]
  const fd = socketCall(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE)
  if (fd < 0) throw new KernelError('open a netlink socket', koffi.errno())
  return fd
}

/** send(2) of a whole message. Throws KernelError. */
export function sendMessage(fd: number, message: Buffer): void {
  if (Number(sendCall(fd, message, message.length, 0)) < 0)
    throw new KernelError('ask netlink', koffi.errno())
}

/** recv(2) into `buffer`, giving the part that was filled; waits for a message. Throws KernelError. */
export function receiveMessage(fd: number, buffer: Buffer): Buffer {
  const EINTR = 4
  for (;;) {
    const bytes = Number(receiveCall(fd, buffer, buffer.length, 0))
    if (bytes >= 0) return buffer.subarray(0, bytes)
    if (koffi.errno() !== EINTR) throw new KernelError('read netlink’s answer', koffi.errno())
  }
}
