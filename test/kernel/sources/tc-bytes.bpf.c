/* Reads and writes by helpers, wherever the bytes lie, and mends checksums of layers 3 and 4. */
#include "tc-program.h"

SEC(SECTION)
int tc_bytes(struct __sk_buff *ctx)
{
	__u32 old, fresh, half = ctx->len / 2;
	__u8 bytes[4];

	if (ctx->len < 60 || bpf_skb_load_bytes(ctx, half, bytes, sizeof(bytes)))
		return TC_ACT_OK;
	for (int at = 0; at < 4; at++)
		bytes[at] = bytes[at] * 5 + at;
	if (bpf_skb_store_bytes(ctx, half, bytes, sizeof(bytes), BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))
		return TC_ACT_SHOT;
	if (byte_at(ctx, 12) != 0x08 || byte_at(ctx, 23) != 17)
		return bytes[1] % 3 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
	if (bpf_skb_load_bytes(ctx, 30, &old, sizeof(old)))
		return TC_ACT_SHOT;
	fresh = old + 1;
	bpf_l3_csum_replace(ctx, 24, old, fresh, sizeof(fresh));
	bpf_l4_csum_replace(ctx, 40, old, fresh, BPF_F_PSEUDO_HDR | BPF_F_MARK_MANGLED_0 | sizeof(fresh));
	bpf_skb_store_bytes(ctx, 30, &fresh, sizeof(fresh), 0);
	return TC_ACT_OK;
}
