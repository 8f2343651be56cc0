/* Global functions, which the kernel verifies apart from their callers: one takes the context, one a pointer. */
#include "program.h"

struct sum {
	__u32 value;
	__u32 bytes;
};

__noinline int add_byte(struct sum *sum, __u32 byte)
{
	if (!sum)
		return -1;
	sum->value += byte;
	sum->bytes += 1;
	return sum->value & 0xff;
}

__noinline int classify(struct xdp_md *ctx)
{
	struct sum sum = {};

	add_byte(&sum, byte_at(ctx, 22));
	add_byte(&sum, byte_at(ctx, 23));
	return sum.value % 9 + sum.bytes;
}

SEC(SECTION)
int global(struct xdp_md *ctx)
{
	return classify(ctx) == 5 ? XDP_DROP : XDP_PASS;
}
