/** What a program's helpers are for, in the order in which groups are shown; the first that fits a name has it. */
const GROUPS: readonly { readonly does: string; readonly names: RegExp }[] = [
  {
    does: 'Keeps and looks up values in maps',
    names: /^bpf_(map_|for_each_map_elem|spin_|kptr_xchg|per_cpu_ptr|this_cpu_ptr)/,
  },
  {
    does: 'Tells user space what happens',
    names: /^bpf_(ringbuf|user_ringbuf|perf_event|skb_output|xdp_output)/,
  },
  { does: 'Sends packets elsewhere', names: /redirect|clone/ },
  {
    does: 'Looks up routes, neighbours and sizes of paths',
    names: /^bpf_(fib_lookup|check_mtu|get_route_realm)/,
  },
  { does: 'Makes or checks SYN cookies', names: /syncookie/ },
  {
    does: 'Looks up sockets and what the kernel knows of them',
    names: /^bpf_(sk_|skc_|tcp_|get_socket|sk_lookup|get_listener_sock|get_netns_cookie|(get|set)sockopt)/,
  },
  {
    does: 'Changes packets',
    names: /_(store|adjust|change|vlan|pull|set|ecn)|^bpf_(l3_|l4_|csum_|set_hash)/,
  },
  { does: 'Reads packets', names: /^bpf_(skb_|xdp_|get_hash_recalc|dynptr)/ },
  { does: 'Asks for the time', names: /ktime|jiffies/ },
  { does: 'Rolls dice, asks for the CPU', names: /^bpf_get_(prandom|smp|numa)/ },
  { does: 'Goes on in another program', names: /^bpf_tail_call$/ },
  { does: 'Sets timers', names: /^bpf_timer_/ },
  { does: 'Writes to the kernel’s trace log', names: /trace_(v?printk)/ },
  { does: 'Reads memory of the kernel or of processes', names: /probe_(read|write)|copy_from_user/ },
  { does: 'Asks which process or group is at work', names: /current|cgroup/ },
]

/** Helpers that are for one thing. */
export interface HelperGroup {
  /** What for, as the end of "the program …". */
  readonly does: string
  readonly helpers: readonly string[]
}

/** Helpers by what they are for, in plain words; what has no group of its own comes last. */
export function groupHelpers(helpers: readonly string[]): HelperGroup[] {
  const groupOf = (name: string): number => GROUPS.findIndex(({ names }) => names.test(name))
  const found = Map.groupBy([...new Set(helpers)].sort(), groupOf)
  return [...GROUPS.keys(), -1].flatMap((at) => {
    const group = found.get(at)
    return group === undefined ? [] : [{ does: GROUPS[at]?.does ?? 'Other helpers', helpers: group }]
  })
}
