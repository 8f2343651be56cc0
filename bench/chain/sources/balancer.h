/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Heavy: hashes a packet's addresses and ports, looks up the server of that hash, gives the packet its address, corrects
 * both checksums (RFC 1624) and counts by server.
 */
#define SLOTS 4096
#define SERVERS 16

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SLOTS);
	__type(key, __u32);
	__type(value, __u32);
} NAME(servers) SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, SERVERS);
	__type(key, __u32);
	__type(value, __u64);
} NAME(served) SEC(".maps");

static __always_inline __u32 NAME(mix)(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x9e3779b1;
	return hash ^ hash >> 15;
}

/* One word exchanged for another in what a checksum covers. */
static __always_inline __u16 NAME(corrected)(__u16 checksum, __u32 before, __u32 after)
{
	__u64 sum = (__u16)~checksum + (__u64)(__u32)~before + after;

	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline int NAME(body)(struct xdp_md *ctx)
{
	struct headers *headers = udp_over_ipv4(ctx);
	__u32 hash, server, slot, address, before;
	__u32 *found;
	__u64 *served;

	if (!headers)
		return XDP_PASS;
	before = headers->ip.daddr;
	hash = NAME(mix)(headers->ip.saddr, before);
	hash = NAME(mix)(hash, (__u32)headers->udp.source << 16 | headers->udp.dest);
	hash = NAME(mix)(hash, headers->ip.protocol);
	slot = hash % SLOTS;
	found = bpf_map_lookup_elem(&NAME(servers), &slot);
	if (!found)
		return XDP_DROP;
	server = (*found + slot) % SERVERS; /* a table that nobody filled spreads all the same */
	address = bpf_htonl(0x0a000001 + server);
	headers->ip.daddr = address;
	headers->ip.check = NAME(corrected)(headers->ip.check, before, address);
	if (headers->udp.check)
		headers->udp.check = NAME(corrected)(headers->udp.check, before, address);
	served = bpf_map_lookup_elem(&NAME(served), &server);
	if (served)
		*served += 1;
	return XDP_PASS;
}
#undef SLOTS
#undef SERVERS
