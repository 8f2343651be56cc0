/* Reads and writes a packet that may lie in several buffers, near its middle and its end, by helpers. */
#undef SECTION
#define SECTION "xdp.frags"
#include "program.h"

SEC(SECTION)
int buffers(struct xdp_md *ctx)
{
	__u64 size = bpf_xdp_get_buff_len(ctx), half = size / 2;
	__u8 bytes[8];

	if (size < 32 || bpf_xdp_load_bytes(ctx, half, bytes, sizeof(bytes)))
		return XDP_PASS;
	for (int at = 0; at < 8; at++)
		bytes[at] = bytes[at] * 3 + at + size;
	if (bpf_xdp_store_bytes(ctx, size - sizeof(bytes), bytes, sizeof(bytes)))
		return XDP_ABORTED;
	if (size > 3800 && bpf_xdp_store_bytes(ctx, 3700, bytes, sizeof(bytes)))
		return XDP_ABORTED;
	return bytes[5] % 4 == 0 ? XDP_DROP : XDP_PASS;
}
