/* Global functions that take pointers to memory and scalars, called from a callback, a subprogram and each other. */
#include "program.h"

struct words {
	__u32 word[4];
};

__noinline int fill(struct words *words, int seed)
{
	if (!words)
		return 0;
	for (int at = 0; at < 4; at++)
		words->word[at] = words->word[at] * 7 + seed + at;
	return words->word[3] & 0xffff;
}

__noinline int fill_twice(struct words *words, int seed)
{
	return fill(words, seed) + fill(words, seed + 1);
}

static long fill_round(__u64 round, struct words *words)
{
	return (fill(words, round) & 0xff) == 0;
}

static __noinline int by_subprogram(struct xdp_md *ctx)
{
	struct words words = { { byte_at(ctx, 0), byte_at(ctx, 12), byte_at(ctx, 17), byte_at(ctx, 23) } };

	bpf_loop(3, fill_round, &words, 0);
	return fill_twice(&words, byte_at(ctx, 29));
}

SEC(SECTION)
int global_nested(struct xdp_md *ctx)
{
	return (__u32)by_subprogram(ctx) % 3 == 0 ? XDP_TX : XDP_PASS;
}
