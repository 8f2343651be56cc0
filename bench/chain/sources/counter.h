/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Small: counts packets and bytes by IP protocol. */
struct NAME(count) {
	__u64 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct NAME(count));
} NAME(counts) SEC(".maps");

static __always_inline int NAME(body)(struct xdp_md *ctx)
{
	struct headers *headers = (void *)(long)ctx->data;
	__u32 protocol = 0;
	struct NAME(count) *count;

	if ((void *)(headers + 1) <= (void *)(long)ctx->data_end && headers->ethernet.h_proto == bpf_htons(ETH_P_IP))
		protocol = headers->ip.protocol;
	count = bpf_map_lookup_elem(&NAME(counts), &protocol);
	if (count) {
		count->packets++;
		count->bytes += ctx->data_end - ctx->data;
	}
	return XDP_PASS;
}
