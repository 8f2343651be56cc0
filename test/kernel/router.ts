import { execFileSync } from 'node:child_process'
import { interfaceIndex } from '../../src/kernel/libc.ts'
import { inNetns } from '../../src/kernel/netns.ts'
import { Lab, type LinkEnd, type Namespace } from '../../tools/lab/namespaces.ts'
import { newRun, type SendReport, startReceiver, startSender } from '../../tools/lab/traffic.ts'
import { COUNTED_BYTES } from './counting-program.ts'

/** sender -- in [router] out -- receiver: what the receiver sees has been through ingress, the stack and egress. */
export interface Router extends Disposable {
  readonly lab: Lab
  readonly sender: LinkEnd
  readonly namespace: Namespace
  readonly receiver: LinkEnd
  /** Index of an interface of the router. */
  index(name: string): number
  /** Runs `ip` or `tc` in the router's namespace and gives what it printed. */
  run(command: 'ip' | 'tc', ...args: string[]): string
  /** Writes a setting below /proc/sys/net of the router. */
  set(path: string, value: string): void
  /** Sends good packets through the router while `work` runs, and gives how many were sent and arrived. */
  traffic(options: TrafficOptions): Promise<{ sent: number; received: number }>
}

/** How much to send: so many packets, or for as long as `work` goes on. */
interface TrafficOptions {
  readonly count?: number
  readonly rate_pps: number
  readonly work?: () => void | Promise<void>
}

/** The traffic tool's destinations (RFC 2544 appendix C.2.2, RFC 5180 section 8); the MAC of a host that lets them go. */
const DESTINATIONS = ['198.19.0.1', '2001:2:0:ffff::1'] as const
const NO_HOST_MAC = '02:68:6c:ff:ff:ff'

/** Builds the three namespaces, forwarding and quiet. Needs root. */
export function router(): Router {
  const lab = new Lab()
  const namespace = lab.namespace('router')
  const left = lab.link(
    { namespace: lab.namespace('sender'), interface: 'eth1' },
    { namespace, interface: 'in', addresses: ['192.0.2.1/24', '2001:db8:1::1/64'] },
  )
  const right = lab.link(
    { namespace, interface: 'out', addresses: ['198.51.100.1/24', '2001:db8:2::1/64'] },
    { namespace: lab.namespace('receiver'), interface: 'eth1' },
  )
  // not by `-n`, which hides the BPF file system: a child is where the thread that starts it is
  const run: Router['run'] = (command, ...args) =>
    inNetns(namespace.path, () => execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' }))
  const set: Router['set'] = (path, value) =>
    void inNetns(namespace.path, () => execFileSync('tee', [`/proc/sys/net/${path}`], { input: value }))
  for (const path of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding']) set(path, '1')
  for (const where of ['all', 'in']) set(`ipv4/conf/${where}/rp_filter`, '0')
  for (const destination of DESTINATIONS) {
    run('ip', 'route', 'add', destination, 'dev', 'out')
    run('ip', 'neighbour', 'add', destination, 'lladdr', NO_HOST_MAC, 'nud', 'permanent', 'dev', 'out')
  }
  const [sender, receiver] = [left.a, right.b]
  return {
    lab,
    sender,
    namespace,
    receiver,
    run,
    set,
    index: (name) => inNetns(namespace.path, () => interfaceIndex(name)),
    traffic: async ({ count, rate_pps, work }) => {
      const number = newRun()
      const arriving = await startReceiver({ lab, at: receiver, run: number })
      const sending = await startSender({
        lab,
        from: sender,
        run: number,
        mix: { good: 1 },
        rate_pps,
        frameBytes: COUNTED_BYTES,
        to: { mac: left.b.mac },
        ...(count === undefined ? {} : { count }),
      })
      await work?.()
      const report: SendReport = await (count === undefined ? sending.stop() : sending.done)
      return { sent: report.sent.good, received: (await arriving.stop()).classes.good.distinct }
    },
    [Symbol.dispose]: () => lab.close(),
  }
}
