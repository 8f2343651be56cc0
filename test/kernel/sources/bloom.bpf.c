/* A bloom filter of what has been seen; its hash has no random seed, so that wrong answers repeat. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__uint(max_entries, 64);
	__uint(map_flags, BPF_F_ZERO_SEED);
	__uint(map_extra, 3);
	__type(value, __u32);
} seen SEC(".maps");

SEC(SECTION)
int bloom(struct xdp_md *ctx)
{
	__u32 pair = byte_at(ctx, 12) << 16 | byte_at(ctx, 23) << 8 | byte_at(ctx, 17);

	if (bpf_map_peek_elem(&seen, &pair) == 0)
		return XDP_DROP;
	return bpf_map_push_elem(&seen, &pair, BPF_ANY) ? XDP_ABORTED : XDP_PASS;
}
