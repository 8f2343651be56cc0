/* A queue and a stack of eight elements: pushed, taken and, when full, overwritten. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 8);
	__type(value, __u32);
} waiting SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK);
	__uint(max_entries, 8);
	__type(value, __u32);
} latest SEC(".maps");

SEC(SECTION)
int queue(struct xdp_md *ctx)
{
	__u32 byte = byte_at(ctx, 23) + byte_at(ctx, 0), first = 0, last = 0;

	bpf_map_push_elem(&waiting, &byte, BPF_EXIST);
	bpf_map_push_elem(&latest, &byte, BPF_EXIST);
	if (byte % 3 == 0)
		bpf_map_pop_elem(&waiting, &first);
	if (byte % 4 == 0)
		bpf_map_pop_elem(&latest, &last);
	bpf_map_peek_elem(&waiting, &first);
	return (first + last) % 7 == 0 ? XDP_TX : XDP_PASS;
}
