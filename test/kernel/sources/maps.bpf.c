/* Maps of several kinds, each counting in its own way. WIDER changes the layout of one. */
#include "program.h"

#ifdef WIDER
typedef __s64 size_count;
#else
typedef __u64 size_count;
#endif

struct tuple {
	__u16 type;
	__u8 protocol;
	__u8 zero;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 16);
	__type(key, __u32);
	__type(value, size_count);
} by_size SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct tuple);
	__type(value, __u32);
} by_tuple SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, __u32);
	__type(value, __u64);
} by_source SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

SEC(SECTION)
int maps(struct xdp_md *ctx)
{
	__u32 size = ((end_of(ctx) - data_of(ctx)) >> 7) & 15, zero = 0, one = 1;
	struct tuple tuple = { .type = byte_at(ctx, 12) << 8 | byte_at(ctx, 13), .protocol = byte_at(ctx, 23) };
	__u32 source = byte_at(ctx, 28) << 8 | byte_at(ctx, 29);
	size_count *sized = bpf_map_lookup_elem(&by_size, &size);
	__u64 *count, first = 100;
	__u32 *packets = bpf_map_lookup_elem(&by_tuple, &tuple);

	if (sized)
		*sized += 1;
	if (packets)
		*packets += 1;
	else
		bpf_map_update_elem(&by_tuple, &tuple, &one, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&by_source, &source);
	if (count)
		*count += 7;
	else
		bpf_map_update_elem(&by_source, &source, &first, BPF_ANY);
	count = bpf_map_lookup_elem(&seen, &zero);
	if (!count)
		return XDP_ABORTED;
	*count += 1;
	return *count % 5 == 4 ? XDP_DROP : XDP_PASS;
}
