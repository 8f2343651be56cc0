/* A longest-prefix-match trie that learns each packet's source network and looks up its destination. */
#include "program.h"

struct prefix {
	__u32 bits;
	__u8 address[4];
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 1024);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct prefix);
	__type(value, __u32);
} networks SEC(".maps");

SEC(SECTION)
int lpm(struct xdp_md *ctx)
{
	struct prefix prefix = { .bits = 8 + (byte_at(ctx, 17) & 16) };
	__u32 first = byte_at(ctx, 23), *found;

	for (int at = 0; at < 4; at++)
		prefix.address[at] = byte_at(ctx, 26 + at);
	bpf_map_update_elem(&networks, &prefix, &first, BPF_ANY);
	prefix.bits = 32;
	for (int at = 0; at < 4; at++)
		prefix.address[at] = byte_at(ctx, 28 + at);
	found = bpf_map_lookup_elem(&networks, &prefix);
	return !found ? XDP_PASS : *found & 1 ? XDP_DROP : XDP_TX;
}
