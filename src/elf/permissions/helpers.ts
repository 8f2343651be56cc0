import type { Permission } from '../../domain/permission.ts'
import { NUMBER, oneOf, orNull, POINTS, type Value } from './value.ts'

/** What a helper asks for and does, as far as permissions go. */
export interface HelperRule {
  readonly permissions: readonly Permission[]
  /** What else it needs with these values of r1 to r5. */
  readonly more?: (parameters: readonly Value[]) => readonly Permission[]
  /** What it returns, from the values of r1 to r5; a number where nothing is said. */
  readonly result?: (parameters: readonly Value[]) => Value
  /** Parameters, from 1, whose memory it writes; with the parameter that says how many bytes, where one does. */
  readonly writes?: readonly { readonly to: number; readonly size?: number }[]
  /** With what it calls a function back whose address it is given; undefined: any number. */
  readonly callback?: (parameters: readonly Value[]) => readonly Value[]
}

/** Permissions of helpers, whose names are without `bpf_`. What is in no list here is no helper of a network hook. */
const BY_PERMISSION: Readonly<Partial<Record<Permission, string>>> = {
  redirect: 'redirect redirect_map redirect_peer redirect_neigh clone_redirect sk_assign',
  'clone-packet': 'clone_redirect',
  'modify-packet': `skb_store_bytes l3_csum_replace l4_csum_replace csum_update csum_level skb_vlan_push skb_vlan_pop
    skb_change_proto skb_change_tail skb_change_head skb_adjust_room skb_ecn_set_ce xdp_adjust_head xdp_adjust_tail
    xdp_store_bytes`,
  'change-metadata': `skb_set_tunnel_key skb_set_tunnel_opt skb_change_type set_hash set_hash_invalid skb_set_tstamp
    xdp_adjust_meta`,
  'export-data': `perf_event_output skb_output xdp_output ringbuf_output ringbuf_reserve ringbuf_submit
    ringbuf_reserve_dynptr ringbuf_submit_dynptr trace_printk trace_vprintk`,
  timers: 'timer_init timer_set_callback timer_start timer_cancel',
  'tail-call-out': 'tail_call',
  'read-processes': `get_current_pid_tgid get_current_uid_gid get_current_comm get_current_task get_current_task_btf
    get_current_cgroup_id get_current_ancestor_cgroup_id current_task_under_cgroup get_ns_current_pid_tgid find_vma
    task_storage_get task_storage_delete cgrp_storage_get cgrp_storage_delete`,
  'socket-access': `sk_lookup_tcp sk_lookup_udp skc_lookup_tcp sk_release sk_fullsock tcp_sock get_listener_sock sk_assign
    sk_storage_get sk_storage_delete skc_to_tcp6_sock skc_to_tcp_sock skc_to_tcp_timewait_sock skc_to_tcp_request_sock
    skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock get_socket_cookie get_socket_uid sk_cgroup_id
    sk_ancestor_cgroup_id skb_cgroup_id skb_ancestor_cgroup_id skb_under_cgroup get_cgroup_classid skb_cgroup_classid
    setsockopt getsockopt tcp_check_syncookie tcp_gen_syncookie sock_map_update sock_hash_update sock_from_file`,
  'read-kernel-memory': `probe_read probe_read_str probe_read_kernel probe_read_kernel_str get_current_task
    get_current_task_btf task_pt_regs get_stack get_stackid get_task_stack per_cpu_ptr this_cpu_ptr snprintf_btf
    kallsyms_lookup_name read_branch_records get_branch_snapshot skc_to_tcp6_sock skc_to_tcp_sock
    skc_to_tcp_timewait_sock skc_to_tcp_request_sock skc_to_udp6_sock skc_to_unix_sock skc_to_mptcp_sock`,
  // bpf_probe_read goes to either, by the address
  'read-user-memory':
    'probe_read probe_read_str probe_read_user probe_read_user_str copy_from_user copy_from_user_task',
  'write-user-memory': 'probe_write_user',
  'override-return': 'override_return',
  'send-signal': 'send_signal send_signal_thread',
}

/** Helpers that need no permission: they read the packet, maps, clocks and routes, or compute. */
const HARMLESS = `map_lookup_elem map_update_elem map_delete_elem map_push_elem map_pop_elem map_peek_elem
  map_lookup_percpu_elem for_each_map_elem ktime_get_ns ktime_get_boot_ns ktime_get_coarse_ns ktime_get_tai_ns jiffies64
  get_prandom_u32 get_smp_processor_id get_numa_node_id skb_load_bytes skb_load_bytes_relative skb_pull_data
  skb_get_tunnel_key skb_get_tunnel_opt skb_get_xfrm_state get_route_realm get_hash_recalc csum_diff fib_lookup check_mtu
  get_netns_cookie perf_event_read perf_event_read_value spin_lock spin_unlock strtol strtoul strncmp snprintf loop
  get_local_storage ringbuf_query ringbuf_discard ringbuf_discard_dynptr xdp_get_buff_len xdp_load_bytes kptr_xchg
  dynptr_from_mem dynptr_read dynptr_write dynptr_data user_ringbuf_drain tcp_raw_gen_syncookie_ipv4
  tcp_raw_gen_syncookie_ipv6 tcp_raw_check_syncookie_ipv4 tcp_raw_check_syncookie_ipv6`

/** XDP_REDIRECT, or XDP_ABORTED; TC_ACT_REDIRECT, or TC_ACT_SHOT (net/core/filter.c): of both hooks, as one rule is enough. */
const REDIRECTED: readonly number[] = [4, 0, 7, 2]

/** Value of the flags' low two bits when the map has no such entry (__bpf_xdp_redirect_map, include/linux/filter.h). */
function redirectMapResult([, , flags]: readonly Value[]): Value {
  const fallbacks = flags?.numbers?.map((number) => number & 3n) ?? [0n, 1n, 2n, 3n]
  return oneOf(4n, 0n, ...fallbacks)
}

/** BPF_F_BROADCAST of bpf_redirect_map, linux/bpf.h: a copy goes to each port of the map. */
const BROADCAST = 8n
const MORE: Readonly<Record<string, NonNullable<HelperRule['more']>>> = {
  redirect_map: ([, , flags]) =>
    flags?.numbers?.every((number) => (number & BROADCAST) === 0n) === true ? [] : ['clone-packet'],
}

/** A value of a map, of a map of maps an inner map. */
function lookupResult([map]: readonly Value[]): Value {
  const outer = ((map?.pointers ?? 0) & POINTS.outerMap) !== 0
  const plain = ((map?.pointers ?? 0) & ~POINTS.outerMap) !== 0
  return orNull((outer ? POINTS.map : 0) | (plain || !outer ? POINTS.data : 0))
}

const data = (): Value => orNull(POINTS.data)
const kernelObject = (): Value => ({ ...NUMBER, pointers: POINTS.other })

const RESULTS: Readonly<Record<string, NonNullable<HelperRule['result']>>> = {
  map_lookup_elem: lookupResult,
  map_lookup_percpu_elem: lookupResult,
  redirect_map: redirectMapResult,
  ...Object.fromEntries(
    ['redirect', 'redirect_peer', 'redirect_neigh'].map((name) => [name, () => oneOf(...REDIRECTED)]),
  ),
  ...Object.fromEntries(
    [
      ...['get_local_storage', 'sk_storage_get', 'task_storage_get', 'cgrp_storage_get', 'ringbuf_reserve'],
      ...['dynptr_data', 'sk_lookup_tcp', 'sk_lookup_udp', 'skc_lookup_tcp', 'sk_fullsock', 'tcp_sock'],
      'get_listener_sock',
    ].map((name) => [name, data]),
  ),
  ...Object.fromEntries(
    [
      ...[
        'kptr_xchg',
        'get_current_task',
        'get_current_task_btf',
        'task_pt_regs',
        'per_cpu_ptr',
        'this_cpu_ptr',
      ],
      ...['skc_to_tcp6_sock', 'skc_to_tcp_sock', 'skc_to_tcp_timewait_sock', 'skc_to_tcp_request_sock'],
      ...['skc_to_udp6_sock', 'skc_to_unix_sock', 'skc_to_mptcp_sock', 'sock_from_file'],
    ].map((name) => [name, kernelObject]),
  ),
}

const FIRST_SIZED = [{ to: 1, size: 2 }]
const WRITES: Readonly<Record<string, NonNullable<HelperRule['writes']>>> = {
  ...Object.fromEntries(
    [
      ...['probe_read', 'probe_read_str', 'probe_read_kernel', 'probe_read_kernel_str', 'probe_read_user'],
      ...['probe_read_user_str', 'copy_from_user', 'copy_from_user_task', 'get_current_comm', 'snprintf'],
      ...['snprintf_btf', 'dynptr_read', 'get_branch_snapshot'],
    ].map((name) => [name, FIRST_SIZED]),
  ),
  ...Object.fromEntries(
    [
      ...['skb_get_tunnel_key', 'skb_get_tunnel_opt', 'fib_lookup', 'get_stack', 'get_task_stack'],
      'read_branch_records',
    ].map((name) => [name, [{ to: 2, size: 3 }]]),
  ),
  ...Object.fromEntries(
    [
      ...['skb_load_bytes', 'skb_load_bytes_relative', 'xdp_load_bytes', 'perf_event_read_value'],
      ...['skb_get_xfrm_state', 'get_ns_current_pid_tgid'],
    ].map((name) => [name, [{ to: 3, size: 4 }]]),
  ),
  getsockopt: [{ to: 4, size: 5 }],
  map_pop_elem: [{ to: 2 }],
  map_peek_elem: [{ to: 2 }],
  check_mtu: [{ to: 3 }],
  strtol: [{ to: 4 }],
  strtoul: [{ to: 4 }],
  dynptr_from_mem: [{ to: 1 }, { to: 4 }],
  ringbuf_reserve_dynptr: [{ to: 4 }],
}

const [KEY, ELEMENT, MAP] = [POINTS.data, POINTS.data, POINTS.data].map(orNull)
const given = (parameters: readonly Value[], at: number): Value => parameters[at - 1] ?? NUMBER
/** What functions that are called back get (Documentation of each helper in linux/bpf.h). */
const CALLBACKS: Readonly<Record<string, NonNullable<HelperRule['callback']>>> = {
  loop: (parameters) => [NUMBER, given(parameters, 3)],
  for_each_map_elem: (parameters) => [MAP ?? NUMBER, KEY ?? NUMBER, ELEMENT ?? NUMBER, given(parameters, 3)],
  timer_set_callback: () => [MAP ?? NUMBER, KEY ?? NUMBER, ELEMENT ?? NUMBER],
  user_ringbuf_drain: (parameters) => [orNull(POINTS.data), given(parameters, 3)],
  find_vma: (parameters) => [kernelObject(), kernelObject(), given(parameters, 4)],
}

/** The rules of all helpers that this version knows, by name with `bpf_`. */
export const HELPERS: ReadonlyMap<string, HelperRule> = rules()

function rules(): Map<string, HelperRule> {
  const permissions = new Map<string, Permission[]>(words(HARMLESS).map((name) => [name, []]))
  for (const [permission, names] of Object.entries(BY_PERMISSION) as [Permission, string][])
    for (const name of words(names)) permissions.set(name, [...(permissions.get(name) ?? []), permission])
  return new Map(
    [...permissions].map(([name, needed]) => {
      const [more, result, writes, callback] = [MORE[name], RESULTS[name], WRITES[name], CALLBACKS[name]]
      const rule = {
        permissions: needed,
        ...(more && { more }),
        ...(result && { result }),
        ...(writes && { writes }),
        ...(callback && { callback }),
      }
      return [`bpf_${name}`, rule]
    }),
  )
}

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
