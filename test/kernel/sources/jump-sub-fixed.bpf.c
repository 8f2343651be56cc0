/* Its subprogram returns one number and no other, unless its tail call arrives. Older verifiers see only the first. */
#include "program.h"

int jump_sub_fixed_sorts(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} steps SEC(".maps") = { .values = { [0] = (void *)&jump_sub_fixed_sorts } };

SEC(SECTION)
int jump_sub_fixed_sorts(struct xdp_md *ctx)
{
	return byte_at(ctx, 17) & 1 ? XDP_DROP : XDP_TX;
}

static __noinline int step(struct xdp_md *ctx)
{
	int verdict = XDP_PASS;

	if (byte_at(ctx, 23) & 1)
		bpf_tail_call(ctx, &steps, 0);
	/* a compiler that knew the number would leave the caller without what the tail call returns; the verifier knows it */
	asm volatile("" : "+r"(verdict));
	return verdict;
}

SEC(SECTION)
int jump_sub_fixed(struct xdp_md *ctx)
{
	return step(ctx);
}
