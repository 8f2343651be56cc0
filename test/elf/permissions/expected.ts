import type { Permission } from '../../../src/domain/permission.ts'

const [ANY, BY_HELPER] = ['drop transmit redirect', 'drop redirect']

/** What the programs of test/elf/permissions/sources can do, by source: names of programs by their permissions. */
export const RULES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  verdicts: {
    '': 'passes reads_and_passes never_reached passes_if_set',
    drop: `drops aborts has_no_name has_no_sign chooses computes by_global_function by_both by_pointer counts_to_it`,
    transmit: 'transmits by_subprogram spilled',
    redirect: 'redirects',
    'drop transmit': 'several_returns switches_densely',
    'transmit redirect': 'switches',
    [ANY]: 'from_packet from_config from_data from_context spilled_partly uninitialised initialised_one_way',
  },
  packets: {
    '': `counts_packets keeps_state sets_variables fills_stack uses_inner_map reads_by_cursor counts_called_back loads_bytes
      reads_slice`,
    'modify-packet': `writes swaps_addresses writes_below writes_by_cursor writes_spilled writes_one_of_two adds_atomically
      writes_called_back moves_head moves_tail stores_bytes takes_from_queue writes_slice writes_dynptr`,
    'change-metadata': 'sets_metadata',
    'export-data': 'reports reports_by_dynptr',
  },
  beyond: {
    '': 'locks_and_counts asks_routes locks_rcu',
    'modify-packet': 'jumped_to',
    [`${ANY} modify-packet tail-call-out`]: 'jumps jumps_below',
    [ANY]: 'verdict_of_map verdict_of_helper to_processor',
    [BY_HELPER]: 'to_interface to_port',
    redirect: 'to_interface_unseen',
    [`${BY_HELPER} clone-packet`]: 'to_all_ports',
    'export-data': 'sends_events prints',
    'export-data timers': 'reports_on_time',
    timers: 'sets_timer',
    'read-kernel-memory': 'reads_kernel reads_variable_of_kernel',
    'read-user-memory': 'reads_user',
    'read-kernel-memory read-user-memory': 'reads_either',
    'write-user-memory': 'writes_user',
    'override-return': 'overrides',
    'send-signal': 'signals',
    'read-processes': 'sees_process',
    'socket-access': 'looks_up_socket socket_of_map',
    'share-maps': 'shares_map shares_arena',
    'call-kernel-functions': 'calls_kernel',
    [`${ANY} call-kernel-functions`]: 'verdict_of_kernel',
    unknown: 'uses_map_of_tomorrow calls_helper_of_tomorrow',
  },
  skb: {
    '': 'next ok pipe reads_fields reads pulls_and_reads legacy',
    drop: 'shot stolen queued trap by_length legacy_or_shot',
    redirect: 'redirected',
    [BY_HELPER]: 'from_mark to_interface to_peer to_neighbour',
    'change-metadata': 'marks prioritises notes classifies marks_below stamps hashes changes_type tunnels',
    'modify-packet': 'writes stores sums_3 sums_4 tags changes_head changes_tail changes_protocol makes_room',
    'redirect clone-packet': 'clones',
    'socket-access': 'sees_socket asks_owner',
  },
}

/** The same of the programs of test/kernel/sources, by entry. */
export const CORPUS: Readonly<Record<string, string>> = {
  [ANY]: 'verdict redirect exits core throws',
  drop: `strange unrolled nested global loop callback depth deep maps many_maps percpu bloom inner globals sections kconfig
    tc_legacy_short tc_maps both_hooks_xdp tree device_bound`,
  'drop transmit': 'leaves jumps parse calls lock lpm atomics format',
  transmit: 'global_nested each stack cooperative_silent queue iterator',
  'drop timers': 'timer',
  [`${ANY} tail-call-out`]: 'jump jump_fixed jump_sub_fixed jump_sub jump_empty cooperative',
  'transmit export-data': 'ring',
  'transmit modify-packet': 'rewrite checksum',
  'drop modify-packet': 'head buffers dynptr tc_direct tc_bytes tc_head tc_tail tc_room tc_vlan tc_dynptr',
  'drop redirect modify-packet': 'tail',
  'drop transmit modify-packet': 'both_ends frags_tail',
  'drop transmit change-metadata': 'meta',
  'drop read-kernel-memory': 'kernel_context',
  [BY_HELPER]: 'tc_verdicts tc_redirect',
  'drop change-metadata': 'tc_fields tc_index tc_time tc_stamp tc_legacy tc_calls tc_deep both_hooks_tc',
  'drop change-metadata socket-access read-kernel-memory': 'tc_kernel',
  'drop redirect change-metadata tail-call-out': 'tc_jump tc_cooperative',
}

const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '')

/** Permissions by program, from a table of the form above. */
export const byProgram = (table: Readonly<Record<string, string>>): Map<string, Permission[]> =>
  new Map(
    Object.entries(table).flatMap(([permissions, names]) =>
      words(names).map((name) => [name, words(permissions) as Permission[]] as const),
    ),
  )
