/* Makes room behind the Ethernet or the IP header (adjust_room), as an encapsulation does, and takes it away. */
#include "tc-program.h"

SEC(SECTION)
int tc_room(struct __sk_buff *ctx)
{
	bool shrink = byte_at(ctx, 17) & 1;
	__u32 mode = byte_at(ctx, 23) == 17 ? BPF_ADJ_ROOM_NET : BPF_ADJ_ROOM_MAC;

	if (bpf_skb_adjust_room(ctx, shrink ? -4 : 8, mode, 0))
		return TC_ACT_SHOT;
	if (!shrink) {
		__u64 zero = 0;

		bpf_skb_store_bytes(ctx, mode == BPF_ADJ_ROOM_MAC ? 14 : 34, &zero, sizeof(zero), 0);
	}
	return TC_ACT_OK;
}
