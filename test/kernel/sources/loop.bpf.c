/* A loop whose length depends on the packet. */
#include "program.h"

SEC(SECTION)
int loop(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx), *end = end_of(ctx);
	__u32 sum = 0;

#pragma clang loop unroll(disable)
	for (int at = 0; at < 64; at++) {
		if (data + at + 1 > end)
			break;
		sum = sum * 31 + data[at];
	}
	return sum % 6 == 0 ? XDP_DROP : XDP_PASS;
}
