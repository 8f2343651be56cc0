/* Cuts the packet's end off or grows it (change_tail), but leaves an IPv6 header whole: test runs want one. */
#include "tc-program.h"

SEC(SECTION)
int tc_tail(struct __sk_buff *ctx)
{
	__u32 size = ctx->len;

	if (size < 66)
		return TC_ACT_OK;
	if (bpf_skb_change_tail(ctx, byte_at(ctx, 17) & 1 ? size + 12 : size - 6, 0))
		return TC_ACT_SHOT;
	return ctx->len > 200 ? TC_ACT_STOLEN : TC_ACT_OK;
}
