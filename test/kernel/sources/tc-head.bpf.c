/* Puts bytes before the packet (change_head) and writes there. */
#include "tc-program.h"

SEC(SECTION)
int tc_head(struct __sk_buff *ctx)
{
	__u32 by = 4 + (byte_at(ctx, 17) & 12);
	__u8 *data;

	if (bpf_skb_change_head(ctx, by, 0))
		return TC_ACT_SHOT;
	data = data_of(ctx);
	if (data + 14 > (__u8 *)end_of(ctx))
		return TC_ACT_SHOT;
	for (int at = 0; at < 14; at++)
		data[at] = at + by;
	return by == 12 ? TC_ACT_PIPE : TC_ACT_OK;
}
