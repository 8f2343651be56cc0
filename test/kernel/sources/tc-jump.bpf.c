/* Tail calls of its own on TC: one to each of two programs, one to an empty slot. */
#include "tc-program.h"

int tc_jump_mark(struct __sk_buff *ctx);
int tc_jump_shot(struct __sk_buff *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} steps SEC(".maps") = { .values = { [2] = (void *)&tc_jump_mark, [5] = (void *)&tc_jump_shot } };

SEC(SECTION)
int tc_jump_mark(struct __sk_buff *ctx)
{
	ctx->mark += 40;
	if (ctx->mark & 1)
		bpf_tail_call(ctx, &steps, 5); /* from one target on to the other */
	return TC_ACT_PIPE;
}

SEC(SECTION)
int tc_jump_shot(struct __sk_buff *ctx)
{
	return byte_at(ctx, 17) & 1 ? TC_ACT_SHOT : TC_ACT_OK;
}

SEC(SECTION)
int tc_jump(struct __sk_buff *ctx)
{
	ctx->mark += byte_at(ctx, 23) & 3;
	if (byte_at(ctx, 12) == 0x08)
		bpf_tail_call(ctx, &steps, 2);
	bpf_tail_call(ctx, &steps, 7);
	return TC_ACT_OK;
}
