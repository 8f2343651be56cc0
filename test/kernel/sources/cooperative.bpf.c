/* A member of a chain by agreement: it tail-calls the next program, should one be there, just before it would pass. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_program SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} verdicts SEC(".maps");

SEC(SECTION)
int cooperative(struct xdp_md *ctx)
{
	__u32 dropped = byte_at(ctx, 23) == 1;
	__u64 *count = bpf_map_lookup_elem(&verdicts, &dropped);

	if (count)
		*count += 1;
	if (dropped)
		return XDP_DROP;
	bpf_tail_call(ctx, &next_program, 0);
	return XDP_PASS;
}
