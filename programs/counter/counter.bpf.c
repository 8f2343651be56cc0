// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Counts packets and bytes by protocol and lets everything pass. */
#include "../common/packet.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Slots of both maps; README.md lists them. Part of the contract: never renumbered. */
enum slot {
	IPV4_TCP,
	IPV4_UDP,
	IPV4_ICMP,
	IPV4_OTHER,
	IPV6_TCP,
	IPV6_UDP,
	IPV6_ICMP,
	IPV6_OTHER,
	ARP,
	OTHER,
	SLOTS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} counter_packets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} counter_bytes SEC(".maps");

static __always_inline enum slot classify_ipv4(void *cursor, void *end)
{
	struct iphdr *ip = cursor;

	if ((void *)(ip + 1) > end)
		return IPV4_OTHER;
	switch (ip->protocol) {
	case IPPROTO_TCP:
		return IPV4_TCP;
	case IPPROTO_UDP:
		return IPV4_UDP;
	case IPPROTO_ICMP:
		return IPV4_ICMP;
	default:
		return IPV4_OTHER;
	}
}

/* The slot of an IPv6 packet: its extension headers, a fragment header among them, are walked first. */
static __noinline enum slot classify_ipv6(void *cursor, void *end)
{
	struct ipv6hdr *ip = cursor;
	struct upper_layer upper;

	if ((void *)(ip + 1) > end)
		return IPV6_OTHER;
	cursor = ip + 1;
	if (!read_ipv6_upper(&cursor, end, ip->nexthdr, &upper))
		return IPV6_OTHER;
	switch (upper.protocol) {
	case IPPROTO_TCP:
		return IPV6_TCP;
	case IPPROTO_UDP:
		return IPV6_UDP;
	case IPPROTO_ICMPV6:
		return IPV6_ICMP;
	default:
		return IPV6_OTHER;
	}
}

SEC("xdp")
int xdp_counter(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	void *cursor = data;
	enum slot slot = OTHER;

	switch (read_ethernet(&cursor, end)) {
	case ETH_P_IP:
		slot = classify_ipv4(cursor, end);
		break;
	case ETH_P_IPV6:
		slot = classify_ipv6(cursor, end);
		break;
	case ETH_P_ARP:
		slot = ARP;
		break;
	}
	add_to(&counter_packets, slot, 1);
	add_to(&counter_bytes, slot, end - data);
	return XDP_PASS;
}
