/* Tail-calls a program of its own object, whose verdict is a constant. */
#include "program.h"

const volatile __u32 cfg_drop = 0;

int jump_config_decides(struct xdp_md *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} steps SEC(".maps") = { .values = { [0] = (void *)&jump_config_decides } };

SEC(SECTION)
int jump_config_decides(struct xdp_md *ctx)
{
	return cfg_drop ? XDP_DROP : XDP_TX;
}

SEC(SECTION)
int jump_config(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &steps, 0);
	return XDP_PASS;
}
