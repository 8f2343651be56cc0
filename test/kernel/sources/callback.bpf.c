/* bpf_loop with a callback that calls a subprogram; the number of rounds depends on the packet. */
#include "program.h"

struct walk {
	__u32 sum;
	__u32 stop_at;
};

static __noinline __u32 turn(__u32 value)
{
	volatile __u32 kept = value;

	return kept << 3 | kept >> 29;
}

static long one_round(__u64 round, struct walk *walk)
{
	walk->sum = turn(walk->sum) ^ round;
	return round == walk->stop_at;
}

SEC(SECTION)
int callback(struct xdp_md *ctx)
{
	struct walk walk = { .sum = byte_at(ctx, 23) + 1, .stop_at = byte_at(ctx, 29) & 15 };

	bpf_loop(byte_at(ctx, 17) & 31, one_round, &walk, 0);
	return walk.sum % 5 == 0 ? XDP_DROP : XDP_PASS;
}
