/* A tail call of its own inside a subprogram, whose target's verdict comes back to the main function. */
#include "program.h"

int jump_target(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} targets SEC(".maps") = { .values = { [1] = (void *)&jump_target } };

static __noinline int leave(struct xdp_md *ctx)
{
	volatile __u32 kept = byte_at(ctx, 23);

	bpf_tail_call(ctx, &targets, 1);
	return kept;
}

SEC(SECTION)
int jump_target(struct xdp_md *ctx)
{
	return byte_at(ctx, 17) & 1 ? XDP_DROP : XDP_TX;
}

SEC(SECTION)
int jump_sub(struct xdp_md *ctx)
{
	if (byte_at(ctx, 12) != 0x08)
		return XDP_PASS;
	return leave(ctx) == XDP_DROP ? XDP_PASS : XDP_ABORTED;
}
