/* Uses DEEP bytes of stack in the main function and SUB bytes in a subprogram, all written and read. */
#include "program.h"

#ifndef DEEP
#define DEEP 304
#endif
#ifndef SUB
#define SUB 96
#endif

static __noinline __u64 below(struct xdp_md *ctx, __u64 seed)
{
	volatile __u64 kept[SUB / 8];
	__u64 sum = byte_at(ctx, 29);

#pragma clang loop unroll(full)
	for (int at = 0; at < SUB / 8; at++)
		kept[at] = seed + at;
#pragma clang loop unroll(full)
	for (int at = 0; at < SUB / 8; at++)
		sum = sum * 3 + kept[at];
	return sum;
}

SEC(SECTION)
int deep(struct xdp_md *ctx)
{
	volatile __u64 kept[DEEP / 8];
	__u64 seed = byte_at(ctx, 23), sum = 0;

#pragma clang loop unroll(disable)
	for (int at = 0; at < DEEP / 8; at++)
		kept[at] = seed * at + at;
	sum = below(ctx, kept[seed & 15]);
#pragma clang loop unroll(disable)
	for (int at = 0; at < DEEP / 8; at++)
		sum = sum * 5 + kept[at];
	return sum % 3 == 0 ? XDP_DROP : XDP_PASS;
}
