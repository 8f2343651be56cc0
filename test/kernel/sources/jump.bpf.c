/* Tail calls of its own, in the main function, through an array that is filled at load. One slot is empty. */
#include "program.h"

int jump_tcp(struct xdp_md *ctx);
int jump_udp(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 3);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} handlers SEC(".maps") = { .values = { [0] = (void *)&jump_tcp, [1] = (void *)&jump_udp } };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} reached SEC(".maps");

static __always_inline __u64 count(__u32 where)
{
	__u64 *times = bpf_map_lookup_elem(&reached, &where);

	return times ? ++*times : 0;
}

SEC(SECTION)
int jump_tcp(struct xdp_md *ctx)
{
	return count(0) % 2 ? XDP_TX : XDP_PASS;
}

SEC(SECTION)
int jump_udp(struct xdp_md *ctx)
{
	count(1);
	return byte_at(ctx, 37) == 53 ? XDP_DROP : XDP_PASS;
}

SEC(SECTION)
int jump(struct xdp_md *ctx)
{
	__u8 protocol = byte_at(ctx, 23);

	if (protocol == 6)
		bpf_tail_call(ctx, &handlers, 0);
	else if (protocol == 17)
		bpf_tail_call(ctx, &handlers, 1);
	else if (protocol == 1)
		bpf_tail_call(ctx, &handlers, 2);
	count(2);
	return XDP_PASS;
}
