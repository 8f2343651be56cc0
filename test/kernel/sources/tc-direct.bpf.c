/* Reads and writes the packet directly, after pulling it into the linear part. */
#include "tc-program.h"

SEC(SECTION)
int tc_direct(struct __sk_buff *ctx)
{
	__u8 *data;

	if (ctx->len < 34 || bpf_skb_pull_data(ctx, 34))
		return TC_ACT_OK;
	data = data_of(ctx);
	if (data + 34 > (__u8 *)end_of(ctx))
		return TC_ACT_SHOT;
	for (int at = 0; at < 6; at++) {
		__u8 kept = data[at];

		data[at] = data[at + 6];
		data[at + 6] = kept;
	}
	data[22] -= 1;
	return data[22] % 5 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
