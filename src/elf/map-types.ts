/** Map types by number (enum bpf_map_type, linux/bpf.h). */
const NAMES = [
  'unspec',
  'hash',
  'array',
  'prog_array',
  'perf_event_array',
  'percpu_hash',
  'percpu_array',
  'stack_trace',
  'cgroup_array',
  'lru_hash',
  'lru_percpu_hash',
  'lpm_trie',
  'array_of_maps',
  'hash_of_maps',
  'devmap',
  'sockmap',
  'cpumap',
  'xskmap',
  'sockhash',
  'cgroup_storage',
  'reuseport_sockarray',
  'percpu_cgroup_storage',
  'queue',
  'stack',
  'sk_storage',
  'devmap_hash',
  'struct_ops',
  'ringbuf',
  'inode_storage',
  'task_storage',
  'bloom_filter',
  'user_ringbuf',
  'cgrp_storage',
  'arena',
  'insn_array',
]

/** BPF_MAP_TYPE_ARRAY, which every data section becomes. */
export const MAP_TYPE_ARRAY = 2

/** BPF_MAP_TYPE_PROG_ARRAY, whose programs bpf_tail_call goes on with. */
export const MAP_TYPE_PROG_ARRAY = 3

/** BPF_MAP_TYPE_ARENA, memory that a program shares with user space. */
export const MAP_TYPE_ARENA = 33

/** A map type's name, such as percpu_array for 6; `type#N` for a number that has none. */
export const mapTypeName = (type: number): string => NAMES[type] ?? `type#${type}`

/** Whether each CPU has values of its own. */
export const isPerCpu = (typeName: string): boolean => typeName.includes('percpu')
