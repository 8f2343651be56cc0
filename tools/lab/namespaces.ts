import { type ChildProcess, execFileSync, type SpawnOptions, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'

/** Where `ip netns add` mounts named namespaces. */
const NETNS = '/run/netns'
/** Every namespace of a lab starts so: `hl-<pid>-<start time of that process>-<lab of the process>-<name>`. */
const PREFIX = 'hl-'
/** One `ip` command; the slowest, deleting a veth pair under load, took 60 ms. */
const IP_TIMEOUT_MS = 10_000

/** A network namespace of a lab. */
export interface Namespace {
  /** For `ip netns exec` and `ip -n`. */
  readonly name: string
  /** For setns(2). */
  readonly path: string
}

/** One end of a veth pair. */
export interface LinkEnd {
  readonly namespace: Namespace
  readonly interface: string
  readonly mac: string
  /** With prefix length, IPv4 and IPv6. */
  readonly addresses: readonly string[]
}

/** What a caller says of one end. */
export interface LinkEndOptions {
  readonly namespace: Namespace
  readonly interface: string
  readonly addresses?: readonly string[]
}

/** Of both ends of a veth pair. */
export interface LinkOptions {
  /** Bytes; native XDP on veth wants at most about 3500. */
  readonly mtu?: number
  readonly txQueueLength?: number
}

/** What an interface has counted since it was made (rtnl_link_stats64, linux/if_link.h). */
export interface LinkCounters {
  readonly rxPackets: number
  readonly rxDropped: number
  readonly rxErrors: number
  readonly txPackets: number
  /** On veth: what the other end's queue had no room for (the ring of native XDP, else the backlog of the cpu). */
  readonly txDropped: number
  readonly txErrors: number
}

const Counts = z.object({ packets: z.int(), dropped: z.int(), errors: z.int() })
const LinkStatistics = z.tuple([z.object({ stats64: z.object({ rx: Counts, tx: Counts }) })])

/** Runs `ip`, without a shell. Throws with what it said. */
function ip(...args: string[]): string {
  try {
    return execFileSync('ip', args, { encoding: 'utf8', timeout: IP_TIMEOUT_MS, stdio: 'pipe' })
  } catch (cause) {
    const said = cause instanceof Error && 'stderr' in cause ? String(cause.stderr).trim() : ''
    throw new Error(`\`ip ${args.join(' ')}\` failed: ${said || cause}`, { cause })
  }
}

/** Reads the counters of an interface. Throws when it is gone. */
export function linkCounters({ namespace, interface: name }: LinkEnd): LinkCounters {
  const text = ip('-n', namespace.name, '-s', '-json', 'link', 'show', 'dev', name)
  const [{ stats64 }] = LinkStatistics.parse(JSON.parse(text))
  return {
    rxPackets: stats64.rx.packets,
    rxDropped: stats64.rx.dropped,
    rxErrors: stats64.rx.errors,
    txPackets: stats64.tx.packets,
    txDropped: stats64.tx.dropped,
    txErrors: stats64.tx.errors,
  }
}

/** What was counted between two readings. */
export const countedSince = (before: LinkCounters, after: LinkCounters): LinkCounters => ({
  rxPackets: after.rxPackets - before.rxPackets,
  rxDropped: after.rxDropped - before.rxDropped,
  rxErrors: after.rxErrors - before.rxErrors,
  txPackets: after.txPackets - before.txPackets,
  txDropped: after.txDropped - before.txDropped,
  txErrors: after.txErrors - before.txErrors,
})

/** Start time of a process in clock ticks since boot (field 22 of /proc/<pid>/stat), undefined when there is none. */
function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function namespaces(): string[] {
  try {
    return readdirSync(NETNS)
  } catch {
    return [] // nobody has made one since boot
  }
}

/**
 * Removes the namespaces of labs whose process was killed, and gives their names. A lab's namespace names its process by
 * pid and start time, so a pid in use again is not taken for the old one; anything else in /run/netns is left alone.
 */
export function removeStale(): string[] {
  const stale = namespaces().filter((name) => {
    const [, pid, started] = /^hl-([0-9]+)-([0-9]+)-[0-9]+-/.exec(name) ?? []
    return pid !== undefined && startTime(Number(pid)) !== started
  })
  for (const name of stale) ip('netns', 'delete', name)
  return stale
}

/** Labs to close when the process ends by itself or by a signal. */
const open = new Set<Lab>()
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

function closeAll(): void {
  for (const lab of open) lab.close()
}

function closeAndDie(signal: NodeJS.Signals): void {
  closeAll()
  // without another listener the signal would have ended the process: let it
  if (process.listenerCount(signal) === 0) process.kill(process.pid, signal)
}

function watch(lab: Lab): void {
  open.add(lab)
  if (open.size > 1) return
  process.on('exit', closeAll)
  for (const signal of SIGNALS) process.on(signal, closeAndDie)
}

function unwatch(lab: Lab): void {
  if (!open.delete(lab) || open.size > 0) return
  process.off('exit', closeAll)
  for (const signal of SIGNALS) process.off(signal, closeAndDie)
}

let labs = 0

/**
 * Network namespaces joined by veth pairs, for tests and demonstrations. Owns what it made, processes in its namespaces
 * among them, and removes all of it on close, when the process ends, and on SIGINT, SIGTERM and SIGHUP.
 */
export class Lab implements Disposable {
  readonly #prefix: string
  readonly #made: Namespace[] = []
  readonly #ends: LinkEnd[] = []
  readonly #children = new Set<ChildProcess>()
  #links = 0

  constructor() {
    this.#prefix = `${PREFIX}${process.pid}-${startTime(process.pid)}-${++labs}-`
    watch(this)
  }

  /** Makes a namespace without IPv6 autoconfiguration, its loopback up. Needs root. */
  namespace(name: string): Namespace {
    const namespace = { name: `${this.#prefix}${name}`, path: `${NETNS}/${this.#prefix}${name}` }
    ip('netns', 'add', namespace.name)
    this.#made.push(namespace)
    for (const setting of ['accept_ra', 'autoconf', 'router_solicitations'])
      for (const where of ['all', 'default'])
        this.#write(namespace, `/proc/sys/net/ipv6/conf/${where}/${setting}`, '0')
    ip('-n', namespace.name, 'link', 'set', 'lo', 'up')
    return namespace
  }

  /**
   * Joins two namespaces by a veth pair, both ends up, with the given addresses at once usable (no duplicate address
   * detection) and known to the other end (permanent neighbours), so that nothing but a caller's packets is on the wire.
   */
  link(a: LinkEndOptions, b: LinkEndOptions, { mtu = 1500, txQueueLength = 1000 }: LinkOptions = {}) {
    const number = (++this.#links).toString(16).padStart(2, '0')
    const end = (given: LinkEndOptions, side: string): LinkEnd => ({
      ...given,
      mac: `02:68:6c:00:${number}:${side}`, // locally administered
      addresses: given.addresses ?? [],
    })
    const ends = { a: end(a, '0a'), b: end(b, '0b') }
    const describe = ({ interface: name, mac, namespace }: LinkEnd): string[] => [
      ...['name', name, 'address', mac, 'mtu', `${mtu}`],
      ...['txqueuelen', `${txQueueLength}`, 'netns', namespace.name],
    ]
    ip('link', 'add', ...describe(ends.a), 'type', 'veth', 'peer', ...describe(ends.b))
    this.#ends.push(ends.a, ends.b)
    this.#bringUp(ends.a, ends.b)
    this.#bringUp(ends.b, ends.a)
    return ends
  }

  /**
   * Starts a program in a namespace, without a shell. `ip netns exec` becomes that program, so the child's pid is the
   * program's own. Killed with the lab when it still runs then.
   */
  spawn(
    { name }: Namespace,
    command: string,
    args: readonly string[],
    options: SpawnOptions = {},
  ): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', name, command, ...args], options)
    this.#children.add(child)
    child.once('exit', () => this.#children.delete(child))
    return child
  }

  /** Kills the lab's processes and removes its veth pairs and namespaces. Goes on past failures, then throws the first. */
  close(): void {
    const failures: unknown[] = []
    const attempt = (work: () => unknown): void => {
      try {
        work()
      } catch (failure) {
        failures.push(failure)
      }
    }
    for (const child of this.#children) child.kill('SIGKILL')
    this.#children.clear()
    // a namespace lives on while a process is in it: the pairs go first, either end takes the other along
    for (const { namespace, interface: name } of this.#ends.splice(0).filter((_, at) => at % 2 === 0))
      attempt(() => ip('-n', namespace.name, 'link', 'delete', 'dev', name))
    for (const { name } of this.#made.splice(0)) attempt(() => ip('netns', 'delete', name))
    unwatch(this)
    if (failures.length > 0) throw failures[0]
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #bringUp(end: LinkEnd, peer: LinkEnd): void {
    const inside = ['-n', end.namespace.name]
    const device = ['dev', end.interface]
    ip(...inside, 'link', 'set', ...device, 'addrgenmode', 'none') // no link-local address of its own accord
    ip(...inside, 'link', 'set', ...device, 'up')
    for (const address of end.addresses)
      ip(...inside, 'address', 'add', address, ...device, ...(address.includes(':') ? ['nodad'] : []))
    for (const address of peer.addresses)
      ip(
        ...inside,
        ...['neighbour', 'replace', address.split('/')[0] ?? address],
        ...['lladdr', peer.mac, 'nud', 'permanent', ...device],
      )
  }

  #write({ name }: Namespace, path: string, text: string): void {
    execFileSync('ip', ['netns', 'exec', name, 'tee', path], { input: text, timeout: IP_TIMEOUT_MS })
  }
}
