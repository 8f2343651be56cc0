/* Reads and writes the packet's time stamp and reads its type: the kernel rewrites these accesses in each program. */
#include "tc-program.h"

SEC(SECTION)
int tc_time(struct __sk_buff *ctx)
{
	__u64 before = ctx->tstamp;

	ctx->cb[4] += ctx->tstamp_type + 1;
	if (byte_at(ctx, 23) == 17)
		ctx->tstamp = before + 1000;
	else if (byte_at(ctx, 23) == 1)
		bpf_skb_set_tstamp(ctx, before + 5, BPF_SKB_TSTAMP_DELIVERY_MONO);
	return before % 2000 == 1000 ? TC_ACT_SHOT : ctx->tstamp_type ? TC_ACT_PIPE : TC_ACT_OK;
}
