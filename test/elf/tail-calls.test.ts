import { expect, test } from 'vitest'
import { LIMITS } from '../../src/domain/limits.ts'
import { readObject } from '../../src/elf/bpf-object.ts'
import { tailCallsOf } from '../../src/elf/tail-calls.ts'
import { compileBpf } from '../support/compile-bpf.ts'

/** Programs a, b and c; each goes on with those that its array holds. */
const object = (arrays: { a?: string[]; b?: string[]; c?: string[] }): ReturnType<typeof readObject> =>
  readObject(
    compileBpf(`#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
char LICENSE[] SEC("license") = "GPL";
int a(struct xdp_md *ctx); int b(struct xdp_md *ctx); int c(struct xdp_md *ctx); int none(struct xdp_md *ctx);
#define ARRAY(NAME, ...) struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); \\
  __array(values, int(void *)); } NAME SEC(".maps") = { .values = { __VA_ARGS__ } }
${(['a', 'b', 'c'] as const)
  .map((name) => `ARRAY(of_${name}, ${(arrays[name] ?? []).map((next) => `(void *)&${next}`).join(', ')});`)
  .join('\n')}
static __noinline int below(struct xdp_md *ctx) {
  int verdict = XDP_PASS;
  bpf_tail_call(ctx, &of_c, 0);
  asm volatile("" : "+r"(verdict));
  return verdict;
}
SEC("xdp") int a(struct xdp_md *ctx) { bpf_tail_call(ctx, &of_a, 0); return XDP_PASS; }
SEC("xdp") int b(struct xdp_md *ctx) { bpf_tail_call(ctx, &of_b, 0); return XDP_PASS; }
SEC("xdp") int c(struct xdp_md *ctx) { if (below(ctx) == 7) return 1; bpf_tail_call(ctx, &of_c, 1); return XDP_PASS; }
SEC("xdp") int none(struct xdp_md *ctx) { return XDP_PASS; }
`),
  )

test.each([
  [{}, { a: 0, b: 0, c: 0, none: 0 }],
  [{ a: ['none'] }, { a: 1, b: 0 }],
  [
    { a: ['b'], b: ['none'] },
    { a: 2, b: 1 },
  ],
  [
    { a: ['none', 'b'], b: ['c'], c: ['none'] },
    { a: 4, b: 3, c: 2 },
  ],
  [{ a: ['a'] }, { a: LIMITS.bpf_tail_calls, none: 0 }],
  [
    { a: ['b'], b: ['c'], c: ['b'] },
    { a: LIMITS.bpf_tail_calls, none: 0 },
  ],
])('arrays %o make %o tail calls', (arrays, expected) => {
  const read = object(arrays)
  for (const [entry, calls] of Object.entries(expected))
    expect([entry, tailCallsOf(read, entry)]).toEqual([entry, calls])
})
