/* A spin lock in an array. */
#include "program.h"

struct guarded {
	struct bpf_spin_lock lock;
	__u32 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guarded);
} totals SEC(".maps");

SEC(SECTION)
int lock(struct xdp_md *ctx)
{
	__u64 bytes = end_of(ctx) - data_of(ctx);
	__u32 zero = 0, packets;
	struct guarded *total = bpf_map_lookup_elem(&totals, &zero);

	if (!total)
		return XDP_ABORTED;
	bpf_spin_lock(&total->lock);
	packets = ++total->packets;
	total->bytes += bytes;
	bpf_spin_unlock(&total->lock);
	return packets % 4 == 0 ? XDP_TX : XDP_PASS;
}
