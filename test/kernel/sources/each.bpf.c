/* bpf_for_each_map_elem over an array and a hash, with two callbacks. Sums only: a hash has no order. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} slots SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} bytes_seen SEC(".maps");

static long add_slot(void *map, __u32 *slot, __u64 *value, __u64 *sum)
{
	*value += *slot;
	*sum += *value;
	return 0;
}

static long add_seen(void *map, __u32 *byte, __u64 *count, __u64 *sum)
{
	*sum += *byte * *count;
	return 0;
}

SEC(SECTION)
int each(struct xdp_md *ctx)
{
	__u64 sum = 0, one = 1, *count;
	__u32 byte = byte_at(ctx, 23) & 63;

	count = bpf_map_lookup_elem(&bytes_seen, &byte);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&bytes_seen, &byte, &one, BPF_NOEXIST);
	bpf_for_each_map_elem(&slots, add_slot, &sum, 0);
	bpf_for_each_map_elem(&bytes_seen, add_seen, &sum, 0);
	return sum % 5 == 0 ? XDP_TX : XDP_PASS;
}
