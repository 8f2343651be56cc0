/* Tail calls to slots that are empty or outside the array, by an index from the packet: each falls through. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} nobody SEC(".maps");

SEC(SECTION)
int jump_empty(struct xdp_md *ctx)
{
	__u8 protocol = byte_at(ctx, 23);

	bpf_tail_call(ctx, &nobody, protocol & 7);
	if (protocol & 1)
		bpf_tail_call(ctx, &nobody, 2);
	return protocol == 17 ? XDP_DROP : XDP_PASS;
}
