/* Writes into the packet: swaps the MAC addresses and turns over some bytes behind them. */
#include "program.h"

SEC(SECTION)
int rewrite(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);

	if (data + 34 > (__u8 *)end_of(ctx))
		return XDP_PASS;
	for (int at = 0; at < 6; at++) {
		__u8 kept = data[at];

		data[at] = data[at + 6];
		data[at + 6] = kept;
	}
#pragma clang loop unroll(disable)
	for (int at = 26; at < 34; at++)
		data[at] = data[at] * 3 + 1;
	return data[33] & 16 ? XDP_TX : XDP_PASS;
}
