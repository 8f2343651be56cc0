/* Moves both ends of the packet in one go: strips a VLAN tag in front, and pads what is short behind. */
#include "program.h"

SEC(SECTION)
int both_ends(struct xdp_md *ctx)
{
	__u8 kept[12], *data = data_of(ctx);
	int missing = 64 - (int)(end_of(ctx) - data_of(ctx));

	if (byte_at(ctx, 12) == 0x81 && data + 18 <= (__u8 *)end_of(ctx)) {
		__builtin_memcpy(kept, data, sizeof(kept));
		if (bpf_xdp_adjust_head(ctx, 4))
			return XDP_ABORTED;
		data = data_of(ctx);
		if (data + 12 > (__u8 *)end_of(ctx))
			return XDP_ABORTED;
		__builtin_memcpy(data, kept, sizeof(kept));
		missing += 4;
	}
	if (missing > 0 && bpf_xdp_adjust_tail(ctx, missing))
		return XDP_ABORTED;
	return missing > 8 ? XDP_TX : XDP_PASS;
}
