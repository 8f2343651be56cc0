/* Moves the packet's start: takes four bytes off, or puts eight written ones before it. */
#include "program.h"

SEC(SECTION)
int head(struct xdp_md *ctx)
{
	bool grow = byte_at(ctx, 1) & 1;
	long size = end_of(ctx) - data_of(ctx);
	__u8 *data;

	if (size < 40)
		return XDP_PASS;
	if (bpf_xdp_adjust_head(ctx, grow ? -8 : 4))
		return XDP_ABORTED;
	data = data_of(ctx);
	if (data + 8 > (__u8 *)end_of(ctx))
		return XDP_DROP;
	if (grow)
		for (int at = 0; at < 8; at++)
			data[at] = at * 5;
	return XDP_PASS;
}
