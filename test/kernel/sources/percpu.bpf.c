/* Per-cpu hash and LRU per-cpu hash, with keys that come from the packet and go again. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 512);
	__type(key, __u16);
	__type(value, __u64);
} by_type SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 4096); /* far more than a test fills: which of many goes first is the kernel's choice */
	__type(key, __u16);
	__type(value, __u64);
} by_port SEC(".maps");

SEC(SECTION)
int percpu(struct xdp_md *ctx)
{
	__u16 type = byte_at(ctx, 12) << 8 | byte_at(ctx, 13), port = byte_at(ctx, 36) << 8 | byte_at(ctx, 37);
	__u64 *count = bpf_map_lookup_elem(&by_type, &type), one = 1, ten = 10;

	if (!count)
		bpf_map_update_elem(&by_type, &type, &one, BPF_NOEXIST);
	else if (++*count % 8 == 0)
		bpf_map_delete_elem(&by_type, &type);
	count = bpf_map_lookup_elem(&by_port, &port);
	if (!count)
		return bpf_map_update_elem(&by_port, &port, &ten, BPF_ANY) ? XDP_ABORTED : XDP_PASS;
	*count += 3;
	return *count % 4 == 0 ? XDP_DROP : XDP_PASS;
}
