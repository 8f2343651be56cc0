/* An array of maps and a hash of maps, filled at load with arrays that count; one slot stays empty. */
#include "program.h"

struct counts {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} four_counts SEC(".maps"), six_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 3);
	__type(key, __u32);
	__array(values, struct counts);
} by_version SEC(".maps") = { .values = { [0] = &four_counts, [1] = &six_counts } };

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, __u32);
	__array(values, struct counts);
} by_bit SEC(".maps") = { .values = { [1] = &four_counts } };

static __always_inline __u64 count_in(void *counts, __u32 slot)
{
	__u64 *count = counts ? bpf_map_lookup_elem(counts, &slot) : NULL;

	return count ? ++*count : 0;
}

SEC(SECTION)
int inner(struct xdp_md *ctx)
{
	__u32 version = byte_at(ctx, 12) == 0x86 ? 1 : byte_at(ctx, 12) == 0x08 ? 0 : 2, bit = byte_at(ctx, 23) & 1;
	__u64 sum = count_in(bpf_map_lookup_elem(&by_version, &version), byte_at(ctx, 17) & 3);

	sum += count_in(bpf_map_lookup_elem(&by_bit, &bit), 3);
	return sum % 4 == 3 ? XDP_DROP : XDP_PASS;
}
