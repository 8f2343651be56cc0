/* Pushes and pops VLAN tags, which the kernel keeps beside the packet as long as there is but one. */
#include "tc-program.h"
#include <bpf/bpf_endian.h>

#define TAGGED bpf_htons(0x8100)

SEC(SECTION)
int tc_vlan(struct __sk_buff *ctx)
{
	if (ctx->vlan_present)
		return bpf_skb_vlan_pop(ctx) ? TC_ACT_SHOT : TC_ACT_OK;
	if (byte_at(ctx, 23) == 6)
		return TC_ACT_OK;
	if (bpf_skb_vlan_push(ctx, TAGGED, 100 + (byte_at(ctx, 17) & 63)))
		return TC_ACT_SHOT;
	if (byte_at(ctx, 23) == 17 && bpf_skb_vlan_push(ctx, TAGGED, 7))
		return TC_ACT_SHOT;
	return ctx->vlan_tci & 1 ? TC_ACT_PIPE : TC_ACT_OK;
}
