/* Many exits, each with something behind it. */
#include "program.h"

#define LEAVE(at, verdict)                                                                                             \
	if (byte_at(ctx, at) == (at) * 3)                                                                              \
		asm volatile("r0 = %[v]\n exit" ::[v] "i"(verdict) : "r0")

SEC(SECTION)
int exits(struct xdp_md *ctx)
{
	LEAVE(0, XDP_DROP);
	LEAVE(5, XDP_TX);
	LEAVE(11, XDP_ABORTED);
	LEAVE(12, 9);
	LEAVE(14, XDP_REDIRECT);
	LEAVE(15, XDP_DROP);
	if (byte_at(ctx, 23) == 17)
		asm volatile("r0 = 2\n exit" ::: "r0");
	if (byte_at(ctx, 23) == 1)
		asm volatile("r0 = 3\n exit" ::: "r0");
	if (byte_at(ctx, 21) & 64)
		asm volatile("r0 = 1\n exit" ::: "r0");
	return XDP_PASS;
}
