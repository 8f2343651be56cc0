// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Writes to packets in every way, and writes to everything else. All pass.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <bpf/bpf_helpers.h>

#ifndef XDP
#define XDP SEC("xdp")
#endif

struct value { __u64 packets, bytes; __u8 copy[16]; };
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, __u32);
	__type(value, struct value);
} seen SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u64);
} counts SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 4);
	__type(value, __u64);
} queue SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} ring SEC(".maps");
struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} inner SEC(".maps");
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &inner } };

__u64 total, slots[8];

static __always_inline __u8 *start_of(struct xdp_md *ctx) { return (void *)(long)ctx->data; }
static __always_inline __u8 *end_of(struct xdp_md *ctx) { return (void *)(long)ctx->data_end; }

XDP int counts_packets(struct xdp_md *ctx)
{
	__u32 key = ctx->rx_queue_index & 3;
	__u64 *count = bpf_map_lookup_elem(&counts, &key);

	if (count)
		++*count;
	return XDP_PASS;
}

XDP int keeps_state(struct xdp_md *ctx)
{
	struct value fresh = { 1, 2 }, *value;
	__u8 *data = start_of(ctx);
	__u32 key;

	if (data + 34 > end_of(ctx))
		return XDP_PASS;
	key = *(__u32 *)(data + 26);
	value = bpf_map_lookup_elem(&seen, &key);
	if (!value) {
		bpf_map_update_elem(&seen, &key, &fresh, BPF_ANY);
		return XDP_PASS;
	}
	value->packets++;
	__sync_fetch_and_add(&value->bytes, end_of(ctx) - data);
	for (int i = 0; i < 16; i++)
		value->copy[i] = data[i];
	return XDP_PASS;
}

XDP int sets_variables(struct xdp_md *ctx)
{
	total += ctx->data_end - ctx->data;
	slots[total & 7]++;
	return XDP_PASS;
}

XDP int fills_stack(struct xdp_md *ctx)
{
	volatile __u8 copy[64];
	__u8 *data = start_of(ctx);

	if (data + 64 > end_of(ctx))
		return XDP_PASS;
	for (int i = 0; i < 64; i++)
		copy[i] = data[i];
	total += copy[total & 63];
	return XDP_PASS;
}

XDP int uses_inner_map(struct xdp_md *ctx)
{
	__u32 key = 0;
	void *map = bpf_map_lookup_elem(&outer, &key);
	__u64 *value = map ? bpf_map_lookup_elem(map, &key) : NULL;

	if (value)
		*value += 1;
	return XDP_PASS;
}

XDP int writes(struct xdp_md *ctx)
{
	__u8 *data = start_of(ctx);

	if (data + 14 > end_of(ctx))
		return XDP_PASS;
	data[3] = 7;
	return XDP_PASS;
}

XDP int swaps_addresses(struct xdp_md *ctx)
{
	struct ethhdr *eth = (void *)start_of(ctx);
	__u8 old[ETH_ALEN];

	if ((void *)(eth + 1) > (void *)end_of(ctx))
		return XDP_PASS;
	__builtin_memcpy(old, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, old, ETH_ALEN);
	return XDP_PASS;
}

static __noinline int put(__u8 *at, __u8 *end, __u8 byte)
{
	if (at + 1 > end)
		return 0;
	*at = byte;
	return 1;
}

XDP int writes_below(struct xdp_md *ctx)
{
	put(start_of(ctx) + 2, end_of(ctx), 9);
	return XDP_PASS;
}

struct cursor { __u8 *at, *end; __u64 taken; };

static __noinline int put_at(struct cursor *cursor)
{
	if (cursor->at + 1 > cursor->end)
		return 0;
	*cursor->at = 5;
	cursor->taken++;
	return 1;
}

XDP int writes_by_cursor(struct xdp_md *ctx)
{
	struct cursor cursor = { start_of(ctx), end_of(ctx), 0 };

	put_at(&cursor);
	return XDP_PASS;
}

static __noinline int skip(struct cursor *cursor)
{
	if (cursor->at + 14 > cursor->end)
		return -1;
	cursor->at += 14;
	cursor->taken++;
	return cursor->at[0];
}

XDP int reads_by_cursor(struct xdp_md *ctx)
{
	struct cursor cursor = { start_of(ctx), end_of(ctx), 0 };

	total += skip(&cursor) + cursor.taken;
	return XDP_PASS;
}

XDP int writes_spilled(struct xdp_md *ctx)
{
	__u8 *volatile data = start_of(ctx);
	__u64 now = bpf_ktime_get_ns();
	__u8 *at = data;

	if (at + 1 > end_of(ctx))
		return XDP_PASS;
	*at = now;
	return XDP_PASS;
}

XDP int writes_one_of_two(struct xdp_md *ctx)
{
	__u8 *data = start_of(ctx), *at = (__u8 *)&total;

	if (data + 1 > end_of(ctx))
		return XDP_PASS;
	if (data[0] == 4)
		at = data;
	asm volatile("" : "+r"(at));
	*at = 1;
	return XDP_PASS;
}

XDP int adds_atomically(struct xdp_md *ctx)
{
	__u8 *data = start_of(ctx);

	if (data + 16 > end_of(ctx))
		return XDP_PASS;
	__sync_fetch_and_add((__u64 *)(data + 8), 1);
	return XDP_PASS;
}

static long put_from_loop(__u32 index, void *context)
{
	struct xdp_md *ctx = *(struct xdp_md **)context;
	__u8 *data = start_of(ctx);

	if (data + 1 > end_of(ctx))
		return 1;
	*data = index;
	return 0;
}

XDP int writes_called_back(struct xdp_md *ctx)
{
	struct xdp_md *passed = ctx;

	bpf_loop(4, put_from_loop, &passed, 0);
	return XDP_PASS;
}

static long add_index(__u32 index, void *context)
{
	*(__u64 *)context += index;
	return 0;
}

static long add_value(void *map, const void *key, void *value, void *context)
{
	*(__u64 *)context += *(__u64 *)value;
	*(__u64 *)value = 0;
	return 0;
}

XDP int counts_called_back(struct xdp_md *ctx)
{
	__u64 sum = 0;

	bpf_loop(4, add_index, &sum, 0);
	bpf_for_each_map_elem(&counts, add_value, &sum, 0);
	total += sum;
	return XDP_PASS;
}

XDP int moves_head(struct xdp_md *ctx) { bpf_xdp_adjust_head(ctx, 4); return XDP_PASS; }
XDP int moves_tail(struct xdp_md *ctx) { bpf_xdp_adjust_tail(ctx, -4); return XDP_PASS; }
XDP int stores_bytes(struct xdp_md *ctx) { __u8 byte = 3; bpf_xdp_store_bytes(ctx, 2, &byte, 1); return XDP_PASS; }
XDP int loads_bytes(struct xdp_md *ctx) { __u8 bytes[4]; if (!bpf_xdp_load_bytes(ctx, 2, bytes, 4)) total += bytes[1]; return XDP_PASS; }

XDP int takes_from_queue(struct xdp_md *ctx)
{
	__u8 *data = start_of(ctx);

	if (data + 8 > end_of(ctx))
		return XDP_PASS;
	bpf_map_pop_elem(&queue, data);
	return XDP_PASS;
}

XDP int sets_metadata(struct xdp_md *ctx)
{
	__u32 *meta;

	if (bpf_xdp_adjust_meta(ctx, -4))
		return XDP_PASS;
	meta = (void *)(long)ctx->data_meta;
	if ((void *)(meta + 1) > (void *)(long)ctx->data)
		return XDP_PASS;
	*meta = 42;
	return XDP_PASS;
}

XDP int reports(struct xdp_md *ctx)
{
	__u64 *record = bpf_ringbuf_reserve(&ring, 16, 0);

	if (!record)
		return XDP_PASS;
	record[0] = ctx->rx_queue_index;
	record[1] = bpf_ktime_get_ns();
	bpf_ringbuf_submit(record, 0);
	return XDP_PASS;
}

extern int bpf_dynptr_from_xdp(struct xdp_md *x, __u64 flags, struct bpf_dynptr *ptr) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;
extern void *bpf_dynptr_slice_rdwr(const struct bpf_dynptr *ptr, __u32 offset, void *buffer, __u32 size) __ksym;

XDP int reads_slice(struct xdp_md *ctx)
{
	struct bpf_dynptr whole;
	__u8 buffer[14] = {}, *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &whole);
	bytes = bpf_dynptr_slice(&whole, 0, buffer, sizeof(buffer));
	if (bytes)
		total += bytes[12];
	return XDP_PASS;
}

XDP int writes_slice(struct xdp_md *ctx)
{
	struct bpf_dynptr whole;
	__u8 buffer[14] = {}, *bytes;

	bpf_dynptr_from_xdp(ctx, 0, &whole);
	bytes = bpf_dynptr_slice_rdwr(&whole, 0, buffer, sizeof(buffer));
	if (bytes)
		bytes[12] = 1;
	return XDP_PASS;
}

XDP int writes_dynptr(struct xdp_md *ctx)
{
	struct bpf_dynptr whole;
	__u8 byte = 1;

	bpf_dynptr_from_xdp(ctx, 0, &whole);
	bpf_dynptr_write(&whole, 3, &byte, 1, 0);
	return XDP_PASS;
}

XDP int reports_by_dynptr(struct xdp_md *ctx)
{
	struct bpf_dynptr record;
	__u8 byte = 1;

	bpf_ringbuf_reserve_dynptr(&ring, 8, 0, &record);
	bpf_dynptr_write(&record, 3, &byte, 1, 0);
	bpf_ringbuf_submit_dynptr(&record, 0);
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
