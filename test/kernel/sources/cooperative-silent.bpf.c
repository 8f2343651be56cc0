/* Declares an array for the next program of a chain by agreement, but never calls it. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_program SEC(".maps");

SEC(SECTION)
int cooperative_silent(struct xdp_md *ctx)
{
	return byte_at(ctx, 29) == 1 && byte_at(ctx, 12) == 0x08 ? XDP_TX : XDP_PASS;
}
