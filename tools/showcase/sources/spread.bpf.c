// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Sends the packets of one address to several machines of the same network, each connection to one of them. */
#include "showcase.h"

const volatile __u32 cfg_backends = 0;
const volatile __u32 cfg_seed = 0x9e3779b9;

struct backend {
	__u8 mac[6];
	__u8 weight;
	__u8 up;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, __u32);
	__type(value, struct backend);
} backends SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __be32);
	__type(value, __u32);
} addresses SEC(".maps");

COUNTERS(sent, 512);
COUNTERS(unserved, 1);
#if BUILD >= 2
/* The machine of a connection, so that it stays there while backends come and go. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 262144);
	__type(key, __u64);
	__type(value, __u32);
} connections SEC(".maps");
#endif

SEC("xdp")
int ENTRY(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct backend *backend;
	struct ethhdr *ethernet = data;
	struct seen seen;
	__u64 flow;
	__u32 at;
	__be32 address;

	if (!look(data, end, &seen) || (void *)(ethernet + 1) > end || cfg_backends == 0)
		return XDP_PASS;
	address = seen.ip->daddr;
	if (!bpf_map_lookup_elem(&addresses, &address))
		return XDP_PASS;
	flow = ((__u64)seen.ip->saddr << 32 | (__u32)seen.ports->source << 16 | seen.ports->destination) ^ cfg_seed;
	at = (__u32)((flow * 0x9e3779b97f4a7c15ULL) >> 32) % cfg_backends;
#if BUILD >= 2
	__u32 *kept = bpf_map_lookup_elem(&connections, &flow);

	if (kept)
		at = *kept;
	else
		bpf_map_update_elem(&connections, &flow, &at, BPF_ANY);
#endif
	backend = bpf_map_lookup_elem(&backends, &at);
	if (!backend || !backend->up) {
		add_to(&unserved, 0, 1);
		return XDP_PASS;
	}
	__builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, backend->mac, ETH_ALEN);
	add_to(&sent, at, 1);
	return XDP_TX;
}
