import { expect, test } from 'vitest'
import { helperName } from '../../src/elf/helper-names.ts'
import { groupHelpers } from '../../src/elf/helper-words.ts'

const groupOf = (helper: string): string | undefined => groupHelpers([helper])[0]?.does

test('helpers are told by what they are for, each once', () => {
  expect(
    groupHelpers(['bpf_ktime_get_ns', 'bpf_map_update_elem', 'bpf_map_lookup_elem', 'bpf_ktime_get_ns']),
  ).toEqual([
    { does: 'Keeps and looks up values in maps', helpers: ['bpf_map_lookup_elem', 'bpf_map_update_elem'] },
    { does: 'Asks for the time', helpers: ['bpf_ktime_get_ns'] },
  ])
  expect(groupHelpers([])).toEqual([])
})

test.each([
  ['bpf_redirect_map', 'Sends packets elsewhere'],
  ['bpf_clone_redirect', 'Sends packets elsewhere'],
  ['bpf_skb_store_bytes', 'Changes packets'],
  ['bpf_xdp_adjust_head', 'Changes packets'],
  ['bpf_l4_csum_replace', 'Changes packets'],
  ['bpf_skb_load_bytes', 'Reads packets'],
  ['bpf_fib_lookup', 'Looks up routes, neighbours and sizes of paths'],
  ['bpf_sk_lookup_tcp', 'Looks up sockets and what the kernel knows of them'],
  ['bpf_tcp_raw_gen_syncookie_ipv4', 'Makes or checks SYN cookies'],
  ['bpf_ringbuf_output', 'Tells user space what happens'],
  ['bpf_perf_event_output', 'Tells user space what happens'],
  ['bpf_tail_call', 'Goes on in another program'],
  ['bpf_trace_printk', 'Writes to the kernel’s trace log'],
  ['bpf_get_prandom_u32', 'Rolls dice, asks for the CPU'],
  ['bpf_loop', 'Other helpers'],
  ['helper#999', 'Other helpers'],
])('%s: %s', (helper, does) => expect(groupOf(helper)).toBe(does))

test('none is lost', () => {
  const all = Array.from({ length: 211 }, (_, at) => helperName(at + 1))
  expect(groupHelpers(all).flatMap(({ helpers }) => helpers)).toHaveLength(211)
})
