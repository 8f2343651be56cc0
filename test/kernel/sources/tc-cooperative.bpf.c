/* A member of a chain by agreement on TC: tail-calls the next program, should one be there, before it would pass. */
#include "tc-program.h"

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} next_program SEC(".maps");

SEC(SECTION)
int tc_cooperative(struct __sk_buff *ctx)
{
	if (byte_at(ctx, 23) == 17)
		return TC_ACT_SHOT;
	ctx->mark |= 0x100;
	bpf_tail_call(ctx, &next_program, 0);
	return TC_ACT_OK;
}
