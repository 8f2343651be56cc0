/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Medium: a token bucket per source address, kept as the time at which it is full again. So generous that the packets of a
 * benchmark never empty it.
 */
#define NS_PER_PACKET 1
#define NS_OF_BURST 1000000000ULL

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} NAME(buckets) SEC(".maps");

static __always_inline int NAME(body)(struct xdp_md *ctx)
{
	struct headers *headers = udp_over_ipv4(ctx);
	__u64 now, *full_at;
	__u32 source;

	if (!headers)
		return XDP_PASS;
	source = headers->ip.saddr;
	now = bpf_ktime_get_ns();
	full_at = bpf_map_lookup_elem(&NAME(buckets), &source);
	if (!full_at) {
		bpf_map_update_elem(&NAME(buckets), &source, &now, BPF_NOEXIST);
		return XDP_PASS;
	}
	if (*full_at < now)
		*full_at = now;
	if (*full_at + NS_PER_PACKET > now + NS_OF_BURST)
		return XDP_DROP;
	*full_at += NS_PER_PACKET;
	return XDP_PASS;
}
#undef NS_PER_PACKET
#undef NS_OF_BURST
