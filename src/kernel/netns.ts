import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { DomainError } from '../domain/errors.ts'
import { enterNetns, interfaceIndex, KernelError } from './libc.ts'

/** A network namespace by its file, such as `/run/netns/edge`; undefined is the process's own. */
export type NetnsPath = string | undefined

const OWN = '/proc/thread-self/ns/net'

/** The file of a namespace made by `ip netns add`. Throws `not_found`. */
export function netnsPath(name: string): string {
  const path = `/run/netns/${name}`
  try {
    statSync(path)
  } catch (cause) {
    throw new DomainError('not_found', `there is no network namespace "${name}" (see \`ip netns list\`)`, {
      cause,
    })
  }
  return path
}

/** Inode of a network namespace: what identifies it while it lives. */
export const netnsInode = (path: NetnsPath): number => statSync(path ?? OWN).ino

/**
 * Runs `work` inside a network namespace. Only this thread enters it, and `work` must be synchronous: work on the
 * thread pool would run in the original one. A thread that cannot come back would act on the wrong host, so it ends.
 */
export function inNetns<T>(path: NetnsPath, work: () => T): T {
  if (path === undefined) return work()
  const own = openSync(OWN, 'r')
  try {
    const target = openSync(path, 'r')
    try {
      enterNetns(target)
    } finally {
      closeSync(target)
    }
    try {
      return work()
    } finally {
      try {
        enterNetns(own)
      } catch {
        process.abort()
      }
    }
  } finally {
    closeSync(own)
  }
}

/** An interface of a network namespace. */
export interface NetworkInterface {
  readonly name: string
  readonly ifindex: number
  /** Whether a default route, IPv4 or IPv6, leaves through it. */
  readonly defaultRoute: boolean
}

/** The interfaces of a network namespace but the loopback. Throws KernelError. */
export function listInterfaces(path: NetnsPath): NetworkInterface[] {
  return inNetns(path, () => {
    const defaults = defaultRouteInterfaces()
    const lines = readFileSync('/proc/thread-self/net/dev', 'utf8').split('\n').slice(2)
    const names = lines.map((line) => /^\s*(\S+):/.exec(line)?.[1] ?? '')
    return names
      .filter((name) => name !== '' && name !== 'lo')
      .map((name) => ({ name, ifindex: interfaceIndex(name), defaultRoute: defaults.has(name) }))
      .filter((found) => found.ifindex > 0) // it went away between the two calls
  })
}

/** Names of the interfaces that carry a default route, from the kernel's own tables. */
function defaultRouteInterfaces(): Set<string> {
  const found = new Set<string>()
  const rows = (file: string): string[][] => {
    try {
      return readFileSync(file, 'utf8')
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
    } catch (cause) {
      if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return [] // no IPv6 in this kernel
      throw new KernelError(`read ${file}`, 5)
    }
  }
  // route: Iface Destination Gateway Flags RefCnt Use Metric Mask …; destination and mask 0 mean everywhere
  for (const row of rows('/proc/thread-self/net/route'))
    if (row[0] !== undefined && row[1] === '00000000' && row[7] === '00000000') found.add(row[0])
  // ipv6_route: destination prefix-length … device; ::/0 is also listed as an unreachable route on lo
  for (const row of rows('/proc/thread-self/net/ipv6_route')) {
    const device = row.at(-1)
    if (row[0] === '0'.repeat(32) && row[1] === '00' && device !== undefined && device !== 'lo')
      found.add(device)
  }
  return found
}
