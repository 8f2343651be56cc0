/* One object for both hooks: what the XDP program counts into a map, the TC program reads there and in a variable. */
#include "program.h"
#include <linux/pkt_cls.h>

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u64);
} by_protocol SEC(".maps");

__u64 arrived;

SEC("xdp")
int both_hooks_xdp(struct xdp_md *ctx)
{
	__u32 protocol = byte_at(ctx, 23);
	__u64 *count = bpf_map_lookup_elem(&by_protocol, &protocol);

	arrived += 1;
	if (!count)
		return XDP_ABORTED;
	*count += 1;
	return *count % 4 == 0 ? XDP_DROP : XDP_PASS;
}

SEC("tc")
int both_hooks_tc(struct __sk_buff *ctx)
{
	__u8 protocol;
	__u32 key;
	__u64 *count;

	if (bpf_skb_load_bytes(ctx, 23, &protocol, sizeof(protocol)))
		return TC_ACT_OK;
	key = protocol;
	count = bpf_map_lookup_elem(&by_protocol, &key);
	if (!count)
		return TC_ACT_SHOT;
	*count += 2;
	ctx->mark = arrived;
	return (*count + arrived) % 3 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
