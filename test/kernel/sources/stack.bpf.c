/* Most of the stack of a frame, all written and read. */
#include "program.h"

#define WORDS 50

SEC(SECTION)
int stack(struct xdp_md *ctx)
{
	volatile __u64 kept[WORDS];
	__u64 first = byte_at(ctx, 30), sum = 0;

#pragma clang loop unroll(disable)
	for (int at = 0; at < WORDS; at++)
		kept[at] = first * at + at;
#pragma clang loop unroll(disable)
	for (int at = WORDS - 1; at >= 0; at--)
		sum = sum * 5 + kept[at];
	return sum % 11 == 0 ? XDP_TX : XDP_PASS;
}
