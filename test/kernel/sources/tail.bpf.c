/* Moves the packet's end by up to seven bytes either way. */
#include "program.h"

SEC(SECTION)
int tail(struct xdp_md *ctx)
{
	int by = (byte_at(ctx, 17) & 15) - 8;

	if (end_of(ctx) - data_of(ctx) < 40)
		return XDP_PASS;
	if (bpf_xdp_adjust_tail(ctx, by))
		return XDP_ABORTED;
	return by == 3 ? XDP_REDIRECT : XDP_PASS;
}
