/* Subprograms, a global function that takes the context, and a bpf_loop callback that calls a subprogram. */
#include "tc-program.h"

struct walk {
	__u32 sum;
	__u32 byte;
};

static __noinline __u32 mix(__u32 value)
{
	volatile __u32 kept[3] = { value, value >> 2, value * 3 };

	return kept[0] ^ kept[1] ^ kept[2];
}

static long one_round(__u64 round, struct walk *walk)
{
	walk->sum = mix(walk->sum + walk->byte);
	return (walk->sum & 0xff) == 9;
}

__noinline int weigh(struct __sk_buff *ctx)
{
	struct walk walk = { .sum = ctx->len, .byte = byte_at(ctx, 23) };

	bpf_loop(4 + (walk.byte & 7), one_round, &walk, 0);
	ctx->mark += walk.sum & 0xff;
	return walk.sum & 0xffff;
}

SEC(SECTION)
int tc_calls(struct __sk_buff *ctx)
{
	return (__u32)weigh(ctx) % 4 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
