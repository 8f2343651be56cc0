// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A member of a chain by agreement, in the shape of L3AF's programs: each has an array for the program behind it, which a
 * daemon fills, and tail-calls what is in it just before it would let a packet pass.
 */
#include "program.h"
#define ID 0
#include BODY

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_program SEC(".maps");

SEC("xdp")
int cooperative(struct xdp_md *ctx)
{
	int verdict = body_0(ctx);

	if (verdict == XDP_PASS)
		bpf_tail_call(ctx, &next_program, 0);
	return verdict;
}
