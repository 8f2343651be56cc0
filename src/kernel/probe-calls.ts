import koffi from 'koffi'
import { DomainError } from '../domain/errors.ts'
import { cString } from './bpf-attr.ts'
import { Fd } from './fd.ts'
import { addressOf, KernelError } from './libc.ts'

const libc = koffi.load('libc.so.6')

const unshareCall = libc.func('int unshare(int flags)') as (flags: number) => number
const membarrierCall = libc.func('long syscall(long number, int command, uint32_t flags, int cpu)') as (
  number: number,
  command: number,
  flags: number,
  cpu: number,
) => number
const getLimit = libc.func('int getrlimit(int resource, void *limit)') as (
  resource: number,
  limit: Buffer,
) => number
const setLimit = libc.func('int setrlimit(int resource, const void *limit)') as (
  resource: number,
  limit: Buffer,
) => number
const socketCall = libc.func('int socket(int domain, int type, int protocol)') as (
  domain: number,
  type: number,
  protocol: number,
) => number
const ioctlCall = libc.func('int ioctl(int fd, unsigned long request, void *argument)') as (
  fd: number,
  request: number,
  argument: Buffer,
) => number

/** __NR_membarrier by architecture (asm/unistd_64.h, asm-generic/unistd.h). */
const NR_MEMBARRIER: Partial<Record<NodeJS.Architecture, number>> = {
  x64: 324,
  arm64: 283,
  riscv64: 283,
  loong64: 283,
}

/** Takes this thread into a new network namespace, which ends with it (unshare(2)). Throws KernelError. */
export function unshareNetns(): void {
  const CLONE_NEWNET = 0x4000_0000
  if (unshareCall(CLONE_NEWNET) !== 0) throw new KernelError('make a network namespace', koffi.errno())
}

/** membarrier(2): the result of a command of linux/membarrier.h. Throws `missing_dependency`, KernelError. */
export function membarrier(command: number): number {
  const number = NR_MEMBARRIER[process.arch]
  if (number === undefined)
    throw new DomainError('missing_dependency', `no membarrier(2) number is known for ${process.arch}`)
  const result = Number(membarrierCall(number, command, 0, 0))
  if (result < 0) throw new KernelError('wait for all processors', koffi.errno())
  return result
}

/** Runs `work` with no memory allowed to be locked (RLIMIT_MEMLOCK, getrlimit(2)). Throws KernelError. */
export function withoutLockedMemory<T>(work: () => T): T {
  const RLIMIT_MEMLOCK = 8
  const before = Buffer.alloc(16) // struct rlimit {current u64, most u64}
  if (getLimit(RLIMIT_MEMLOCK, before) !== 0)
    throw new KernelError('read the limit of locked memory', koffi.errno())
  const none = Buffer.from(before)
  none.writeBigUInt64LE(0n, 0)
  if (setLimit(RLIMIT_MEMLOCK, none) !== 0)
    throw new KernelError('set the limit of locked memory', koffi.errno())
  try {
    return work()
  } finally {
    setLimit(RLIMIT_MEMLOCK, before)
  }
}

/** Opens a NETLINK_GENERIC socket in the thread's network namespace (netlink(7)). Throws KernelError. */
export function openGenericSocket(): number {
  const [AF_NETLINK, SOCK_RAW, SOCK_CLOEXEC, NETLINK_GENERIC] = [16, 3, 0x8_0000, 16]
  const number = socketCall(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC)
  if (number < 0) throw new KernelError('open a netlink socket', koffi.errno())
  return number
}

/** struct ifreq, linux/if.h: the name, then what the request is about. */
const [IFREQ_BYTES, NAME_BYTES] = [40, 16] as const

function askInterface(name: string, request: number, pointer?: Buffer): Buffer | undefined {
  const [AF_INET, SOCK_DGRAM, SOCK_CLOEXEC] = [2, 2, 0x8_0000]
  const number = socketCall(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
  if (number < 0) throw new KernelError('open a socket', koffi.errno())
  using socket = new Fd(number)
  const ifreq = Buffer.alloc(IFREQ_BYTES)
  cString(name).copy(ifreq, 0, 0, NAME_BYTES - 1)
  if (pointer !== undefined) ifreq.writeBigUInt64LE(addressOf(pointer), NAME_BYTES)
  return ioctlCall(socket.number, request, ifreq) === 0 ? ifreq : undefined
}

/** Bytes of the largest packet of an interface of the thread's network namespace (SIOCGIFMTU, netdevice(7)); 0 when it is gone. */
export function interfaceMtu(name: string): number {
  const SIOCGIFMTU = 0x8921
  return askInterface(name, SIOCGIFMTU)?.readInt32LE(NAME_BYTES) ?? 0
}

/**
 * Name of an interface's driver in the thread's network namespace, empty where it has none to tell.
 * SIOCETHTOOL with ETHTOOL_GDRVINFO, struct ethtool_drvinfo of linux/ethtool.h.
 */
export function interfaceDriver(name: string): string {
  const [SIOCETHTOOL, ETHTOOL_GDRVINFO] = [0x8946, 3]
  const DRIVER_INFO_BYTES = 196
  const info = Buffer.alloc(DRIVER_INFO_BYTES)
  info.writeUInt32LE(ETHTOOL_GDRVINFO, 0)
  if (askInterface(name, SIOCETHTOOL, info) === undefined) return ''
  const driver = info.subarray(4, 36)
  return driver.toString('utf8', 0, driver.indexOf(0))
}
