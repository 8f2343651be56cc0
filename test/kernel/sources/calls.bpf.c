/* Static subprograms: one called from two places, one that calls another, all with stack of their own. */
#include "program.h"

static __noinline __u32 mix(__u32 value)
{
	volatile __u32 kept[4] = { value, value >> 3, value << 5, 7 };

	return kept[0] ^ kept[1] ^ kept[2] ^ kept[3];
}

static __noinline __u32 twice(__u32 value)
{
	volatile __u32 first = mix(value);

	return mix(first + 1);
}

SEC(SECTION)
int calls(struct xdp_md *ctx)
{
	volatile __u32 seed = byte_at(ctx, 23);
	__u32 all;

	if (byte_at(ctx, 12) == 0x86)
		return twice(seed) & 1 ? XDP_PASS : XDP_TX;
	all = mix(seed) ^ twice(byte_at(ctx, 29));
	return all % 7 == 0 ? XDP_DROP : XDP_PASS;
}
