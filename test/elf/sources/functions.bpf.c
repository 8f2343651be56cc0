// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Every way in which one function of an object can reach another.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} jumps SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, __u64);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} totals SEC(".maps");

extern int hook_kernel_check(struct xdp_md *ctx) __ksym;
extern const int hook_kernel_variable __ksym;

static __noinline __u64 stamp(__u32 key)
{
	__u64 now = bpf_ktime_get_ns();

	bpf_map_update_elem(&seen, &key, &now, BPF_ANY);
	return now;
}

static __noinline __u64 deep(struct xdp_md *ctx)
{
	return stamp(ctx->ingress_ifindex) + bpf_get_smp_processor_id();
}

/* Global functions are verified on their own. */
__noinline int global_sum(int a, int b)
{
	return a * 31 + b + (int)bpf_get_prandom_u32();
}

static long count_one(void *map, const void *key, void *value, void *sum)
{
	*(__u64 *)sum += *(__u64 *)value;
	return 0;
}

static long step(__u32 index, void *context)
{
	*(__u64 *)context += index;
	return index > 10;
}

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp/calls")
int calls(struct xdp_md *ctx)
{
	return deep(ctx) + global_sum(ctx->data, ctx->data_end) > 7 ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags/callbacks")
int callbacks(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_for_each_map_elem(&totals, count_one, &sum, 0);
	bpf_loop(4, step, &sum, 0);
	return sum > 3 ? XDP_PASS : XDP_DROP;
}

SEC("xdp.frags")
int tails(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &jumps, 0);
	return XDP_PASS;
}

SEC("xdp/kernel")
int kernel(struct xdp_md *ctx)
{
	return hook_kernel_check(ctx) + hook_kernel_variable;
}

SEC("tc")
int on_tc(struct __sk_buff *skb)
{
	return skb->len > 100 ? 2 : 0;
}

SEC("uprobe")
int elsewhere(void *ctx)
{
	return 0;
}

char _license[] SEC("license") = "Dual BSD/GPL";
