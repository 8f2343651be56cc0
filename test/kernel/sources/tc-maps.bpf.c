/* Maps of several kinds on TC: a hash of flows, a per-cpu array, a spin lock, and variables. */
#include "tc-program.h"

struct flow {
	__u8 address[8];
	__u32 mark;
};

struct guarded {
	struct bpf_spin_lock lock;
	__u32 packets;
	__u64 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 512);
	__type(key, struct flow);
	__type(value, __u64);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u64);
} sizes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct guarded);
} totals SEC(".maps");

const volatile __u32 cfg_every = 4;
__u64 largest;

SEC(SECTION)
int tc_maps(struct __sk_buff *ctx)
{
	struct flow flow = { .mark = ctx->mark };
	__u32 zero = 0, large = ctx->len > 500;
	__u64 one = 1, *count;
	struct guarded *total;

	if (bpf_skb_load_bytes(ctx, 26, flow.address, sizeof(flow.address)))
		__builtin_memset(flow.address, 0, sizeof(flow.address));
	count = bpf_map_lookup_elem(&flows, &flow);
	if (count)
		*count += 1;
	else
		bpf_map_update_elem(&flows, &flow, &one, BPF_NOEXIST);
	count = bpf_map_lookup_elem(&sizes, &large);
	if (count)
		*count += ctx->len;
	if (ctx->len > largest)
		largest = ctx->len;
	total = bpf_map_lookup_elem(&totals, &zero);
	if (!total)
		return TC_ACT_SHOT;
	bpf_spin_lock(&total->lock);
	zero = ++total->packets;
	total->bytes += ctx->len;
	bpf_spin_unlock(&total->lock);
	return cfg_every && zero % cfg_every == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
