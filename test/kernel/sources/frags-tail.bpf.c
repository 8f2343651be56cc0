/* Moves the end of a packet that may lie in several buffers: cuts a third off the larger ones, grows the small. */
#undef SECTION
#define SECTION "xdp.frags"
#include "program.h"

SEC(SECTION)
int frags_tail(struct xdp_md *ctx)
{
	int size = bpf_xdp_get_buff_len(ctx);

	if (size >= 600)
		return bpf_xdp_adjust_tail(ctx, -(size / 3)) ? XDP_ABORTED : XDP_PASS;
	if (size >= 40)
		return bpf_xdp_adjust_tail(ctx, 16) ? XDP_ABORTED : XDP_TX;
	return XDP_PASS;
}
