/* Subprograms four calls deep, each with stack of its own and reading the packet. */
#include "program.h"

#define LEVEL(name, at, below)                                                                                         \
	static __noinline __u32 name(struct xdp_md *ctx, __u32 value)                                                  \
	{                                                                                                              \
		volatile __u64 kept[3] = { value, byte_at(ctx, at), value + at };                                      \
                                                                                                                       \
		return kept[0] * 3 + kept[1] + below + kept[2];                                                        \
	}

LEVEL(fourth, 31, 1)
LEVEL(third, 23, fourth(ctx, kept[1]))
LEVEL(second, 14, third(ctx, kept[0]) + fourth(ctx, kept[2]))
LEVEL(first, 12, second(ctx, kept[2]))

SEC(SECTION)
int nested(struct xdp_md *ctx)
{
	return first(ctx, byte_at(ctx, 17)) % 4 == 0 ? XDP_DROP : XDP_PASS;
}
