import { closeSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { DomainError } from '../domain/errors.ts'
import { defaultRouteIndexes } from './default-routes.ts'
import { enterNetns, interfaceIndex } from './libc.ts'

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
 * A network namespace by its inode: the one given, one that has a name, or that of a process. One that is gone gets a
 * path that leads nowhere, so that entering it is refused with `not_found`.
 */
export function netnsByInode(inode: number, expected: NetnsPath): NetnsPath {
  const is = (path: NetnsPath): boolean => {
    try {
      return netnsInode(path) === inode
    } catch {
      return false // gone, or of a process that ended
    }
  }
  if (is(expected)) return expected
  const paths = function* (): Generator<string> {
    for (const name of namesIn('/run/netns')) yield `/run/netns/${name}`
    for (const name of namesIn('/proc')) if (/^\d+$/.test(name)) yield `/proc/${name}/ns/net`
  }
  for (const path of paths()) if (is(path)) return path
  return `/run/netns/gone-${inode}`
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/**
 * Runs `work` inside a network namespace. Only this thread enters it, and `work` must be synchronous: work on the
 * thread pool would run in the original one. A thread that cannot come back would act on the wrong host, so it ends.
 */
export function inNetns<T>(path: NetnsPath, work: () => T): T {
  if (path === undefined) return work()
  const own = openSync(OWN, 'r')
  try {
    const target = openNetns(path)
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

function openNetns(path: string): number {
  try {
    return openSync(path, 'r')
  } catch (cause) {
    throw new DomainError('not_found', `the network namespace ${path} is gone`, { cause })
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
    const defaults = defaultRouteIndexes()
    const lines = readFileSync('/proc/thread-self/net/dev', 'utf8').split('\n').slice(2)
    const names = lines.map((line) => /^\s*(\S+):/.exec(line)?.[1] ?? '')
    return names
      .filter((name) => name !== '' && name !== 'lo')
      .map((name) => ({ name, ifindex: interfaceIndex(name) }))
      .map((found) => ({ ...found, defaultRoute: defaults.has(found.ifindex) }))
      .filter((found) => found.ifindex > 0) // it went away between the two calls
  })
}
