/*
 * Subprograms, named in other orders than they are defined in, from several sections: nested, shared, global, hidden,
 * and called back. No two functions have as many instructions, so that their starts tell their order.
 */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} table SEC(".maps");

static __noinline int leaf(int value)
{
	volatile int kept = value;

	return kept + 1;
}

__noinline int shared(int value)
{
	volatile int kept = leaf(value) * 3;

	return kept ^ 5;
}

static __noinline int middle(struct xdp_md *ctx)
{
	volatile int kept = shared(ctx->rx_queue_index) + 2;

	kept ^= kept << 3;
	return leaf(kept);
}

__attribute__((visibility("hidden"))) __noinline int hidden(int value)
{
	volatile int kept = value;

	kept = kept * 7 + (kept >> 2);
	kept ^= kept << 1;
	kept += 5;
	kept ^= kept << 9;
	return kept - 11;
}

static long each_slot(void *map, const __u32 *key, __u64 *value, int *sum)
{
	volatile int kept = *key;

	kept = kept * 31 + 7;
	kept ^= kept >> 5;
	*sum += hidden(kept);
	return 0;
}

static long each_turn(__u32 index, int *sum)
{
	bpf_for_each_map_elem(&table, each_slot, sum, 0);
	*sum += leaf(index);
	return *sum > 1000;
}

SEC("xdp/first")
int first(struct xdp_md *ctx)
{
	int sum = middle(ctx);

	bpf_loop(3, each_turn, &sum, 0);
	return shared(sum) % 2 ? XDP_PASS : XDP_DROP;
}

SEC("xdp/second")
int second(struct xdp_md *ctx)
{
	int sum = hidden(ctx->rx_queue_index);

	bpf_for_each_map_elem(&table, each_slot, &sum, 0);
	return middle(ctx) + sum > 0 ? XDP_PASS : XDP_DROP;
}

SEC("acme/third")
int third(struct xdp_md *ctx)
{
	return leaf(shared(hidden(ctx->rx_queue_index))) % 2 ? XDP_PASS : XDP_TX;
}
