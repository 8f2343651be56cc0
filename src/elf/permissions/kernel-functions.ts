import type { Permission } from '../../domain/permission.ts'
import { ANYTHING, join, NUMBER, orNull, POINTS, type Value } from './value.ts'

/** What a kernel function asks for, and what it returns from the values of r1 to r5. */
export interface KernelFunctionRule {
  readonly permissions: readonly Permission[]
  readonly result: (parameters: readonly Value[]) => Value
  /** Whether nothing is known of it: it may write to whatever it is given. */
  readonly stranger: boolean
  /** With what it calls a function back whose address it is given; undefined: anything. */
  readonly callback: readonly Value[] | undefined
}

const number = (): Value => NUMBER
const data = (): Value => orNull(POINTS.data)
const kernelObject = (): Value => ({ ...NUMBER, pointers: POINTS.other })
const anything = (): Value => ANYTHING
/** Part of what a dynptr stands for, or a copy of it in the buffer that was given. */
const slice =
  (pointers: number) =>
  ([, , buffer]: readonly Value[]): Value =>
    join(orNull(pointers), buffer ?? ANYTHING)

/** Names without `bpf_`, by what they need and return. A newer kernel calls some without the ending `_impl`. */
const RULES: readonly (readonly [readonly Permission[], KernelFunctionRule['result'], string])[] = [
  [
    [],
    number,
    `iter_num_new iter_num_destroy rcu_read_lock rcu_read_unlock preempt_disable preempt_enable local_irq_save
     local_irq_restore dynptr_from_skb dynptr_from_xdp dynptr_adjust dynptr_is_null dynptr_is_rdonly dynptr_size dynptr_clone
     obj_drop percpu_obj_drop list_push_front list_push_back rbtree_add xdp_metadata_rx_timestamp xdp_metadata_rx_hash
     xdp_metadata_rx_vlan_tag throw`,
  ],
  [
    [],
    data,
    `iter_num_next obj_new percpu_obj_new refcount_acquire list_pop_front list_pop_back list_front list_back rbtree_first
     rbtree_remove rbtree_root rbtree_left rbtree_right`,
  ],
  [[], slice(POINTS.data), 'dynptr_slice'],
  [['modify-packet'], slice(POINTS.packet), 'dynptr_slice_rdwr'],
  [['modify-packet'], number, 'dynptr_memset dynptr_copy dynptr_write xdp_pull_data'],
  [['read-kernel-memory'], anything, 'cast_to_kern_ctx rdonly_cast'],
  [['read-kernel-memory', 'modify-packet'], number, 'probe_read_kernel_dynptr probe_read_kernel_str_dynptr'],
  [
    ['read-user-memory', 'modify-packet'],
    number,
    `probe_read_user_dynptr probe_read_user_str_dynptr copy_from_user_dynptr copy_from_user_str_dynptr
     copy_from_user_task_dynptr copy_from_user_task_str_dynptr`,
  ],
  [
    ['call-kernel-functions'],
    kernelObject,
    'xdp_ct_lookup skb_ct_lookup xdp_ct_alloc skb_ct_alloc ct_insert_entry',
  ],
  [
    ['call-kernel-functions'],
    number,
    'ct_release ct_set_timeout ct_change_timeout ct_set_status ct_change_status ct_set_nat_info',
  ],
  [['timers'], number, 'wq_init wq_set_callback wq_start'],
  [['send-signal'], number, 'send_signal_task'],
  [['socket-access'], number, 'sk_assign_tcp_reqsk sock_destroy'],
  [['change-metadata'], number, 'skb_set_fou_encap'],
  [['share-maps'], anything, 'arena_alloc_pages arena_free_pages arena_reserve_pages'],
]

/** Nodes of a tree; a map, and a key and value of it. */
const CALLBACKS: Readonly<Record<string, readonly Value[]>> = {
  rbtree_add: [data(), data()],
  wq_set_callback: [data(), data(), data()],
}

const BY_NAME: ReadonlyMap<string, KernelFunctionRule> = new Map(
  RULES.flatMap(([permissions, result, names]) =>
    names
      .trim()
      .split(/\s+/)
      .flatMap((name) => {
        const rule = { permissions, result, stranger: false, callback: CALLBACKS[name] }
        return [`bpf_${name}`, `bpf_${name}_impl`].map((each) => [each, rule] as const)
      }),
  ),
)

/** Any function of the kernel, or of a module of anybody. */
const STRANGER: KernelFunctionRule = {
  permissions: ['call-kernel-functions'],
  result: anything,
  stranger: true,
  callback: undefined,
}

/** The rule of a kernel function by its name in the kernel. */
export const kernelFunctionRule = (name: string): KernelFunctionRule => BY_NAME.get(name) ?? STRANGER

/** Whether no packet can be reached by a dynptr where no kernel function but these is called. */
export const makesNoDynptr = (name: string): boolean =>
  BY_NAME.get(name)?.permissions.length === 0 && !name.includes('dynptr')

/** Ends the program by an exception, whose handler nothing refers to. */
export const THROW = 'bpf_throw'
