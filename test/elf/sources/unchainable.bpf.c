// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What keeps a program out of chains, each in a program of its own, and what does not.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA */
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
} shared_memory SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 4);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} table SEC(".maps");

extern void bpf_throw(__u64 cookie) __ksym;
extern void bpf_throw___flavour(__u64 cookie) __ksym __weak;
extern int bpf_xdp_metadata_rx_timestamp(const struct xdp_md *ctx, __u64 *timestamp) __ksym;
extern int bpf_xdp_metadata_rx_hash(const struct xdp_md *ctx, __u32 *hash, __u32 *type) __ksym;
extern void *bpf_obj_new_impl(__u64 local_type_id, void *meta) __ksym;
extern void bpf_obj_drop_impl(void *object, void *meta) __ksym;
extern int bpf_list_push_back_impl(void *head, void *node, void *meta, __u64 offset) __ksym;
extern void *bpf_arena_alloc_pages(void *map, void *address, __u32 pages, int node, __u64 flags) __ksym;
extern void *bpf_cast_to_kern_ctx(void *ctx) __ksym;

static __noinline int check(int value)
{
	if (value > 100)
		bpf_throw(value);
	return value + 1;
}

static __noinline int jump(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &table, 1);
	return XDP_PASS;
}

static long turn(__u32 index, void *sum)
{
	*(__u64 *)sum += index;
	return 0;
}

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp")
int calls_back(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(4, turn, &sum, 0);
	return sum > 3 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int jumps(struct xdp_md *ctx)
{
	bpf_tail_call(ctx, &table, 0);
	return XDP_PASS;
}

SEC("xdp")
int jumps_deep(struct xdp_md *ctx)
{
	return jump(ctx) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int calls_kernel(struct xdp_md *ctx)
{
	return bpf_cast_to_kern_ctx(ctx) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int throws(struct xdp_md *ctx)
{
	if (ctx->rx_queue_index > 100)
		bpf_throw(1);
	return XDP_PASS;
}

SEC("xdp")
int throws_deep(struct xdp_md *ctx)
{
	return check(ctx->rx_queue_index) > 3 ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int asks_device(struct xdp_md *ctx)
{
	__u32 hash = 0, type = 0;
	__u64 timestamp = 0;

	return bpf_xdp_metadata_rx_timestamp(ctx, &timestamp) || bpf_xdp_metadata_rx_hash(ctx, &hash, &type);
}

SEC("xdp")
int makes_objects(struct xdp_md *ctx)
{
	void *object = bpf_obj_new_impl(7, 0);

	if (object)
		bpf_obj_drop_impl(object, 0);
	return XDP_PASS;
}

SEC("xdp")
int makes_lists(struct xdp_md *ctx)
{
	return bpf_list_push_back_impl(ctx, ctx, 0, 0) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int uses_arena(struct xdp_md *ctx)
{
	return bpf_arena_alloc_pages(&shared_memory, 0, 1, -1, 0) ? XDP_PASS : XDP_DROP;
}

SEC("xdp")
int several(struct xdp_md *ctx)
{
	if (!bpf_arena_alloc_pages(&shared_memory, 0, 1, -1, 0))
		bpf_throw(2);
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";

SEC("xdp")
int throws_by_flavour(struct xdp_md *ctx)
{
	if (bpf_throw___flavour)
		bpf_throw___flavour(XDP_PASS);
	return XDP_PASS;
}
