/* Metadata before the packet: makes room for eight bytes, writes them and reads what an earlier program left. */
#include "program.h"

struct note {
	__u32 bytes;
	__u32 sum;
};

static __noinline __u32 sum_after(__u32 before, __u32 byte)
{
	return before * 5 + byte + 1;
}

SEC(SECTION)
int meta(struct xdp_md *ctx)
{
	__u32 bytes = end_of(ctx) - data_of(ctx), before = 0;
	struct note *note = (void *)(long)ctx->data_meta;

	if ((void *)(note + 1) <= data_of(ctx))
		before = note->sum;
	else if (bpf_xdp_adjust_meta(ctx, -(int)sizeof(*note)))
		return XDP_ABORTED;
	before = sum_after(before, byte_at(ctx, 17));
	note = (void *)(long)ctx->data_meta;
	if ((void *)(note + 1) > data_of(ctx))
		return XDP_DROP;
	note->bytes = bytes;
	note->sum = before;
	if (before % 4)
		return XDP_PASS;
	return bpf_xdp_adjust_meta(ctx, sizeof(*note)) ? XDP_ABORTED : XDP_TX; /* takes it away again */
}
