// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Maps of many kinds, with every shape of BTF in their keys and values.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum action { ALLOW, DENY = 7 };
enum delta { LESS = -1, MORE = 1 };
typedef __u32 address;
typedef const volatile address fixed_address;

struct port_range {
	__u16 low;
	__u16 high;
};

struct flow {
	fixed_address from;
	address to;
	struct port_range ports[2];
	__u8 protocol;
	__u8 pad[3];
};

struct verdict {
	enum action action;
	enum delta delta;
	__u32 hits : 20;
	__u32 kind : 3;
	int balance : 5;
	union {
		__u64 wide;
		struct {
			__u32 left;
			__s32 right;
		};
	} both;
	__u8 table[3][5];
	_Bool on;
	char label[6];
	float ratio;
	void *never;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1000);
	__type(key, struct flow);
	__type(value, struct verdict);
} flows SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 3);
	__type(key, __u32);
	__type(value, __u64);
} port_drops SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, 256);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct { __u32 prefix; __u8 address[16]; });
	__type(value, __u32);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__uint(value_size, 8);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} events SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
	__type(key, __u64);
	__type(value, __u64);
} shared SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} inner_one SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { &inner_one } };

SEC("xdp")
int use_maps(struct xdp_md *ctx)
{
	struct flow flow = {};
	__u32 zero = 0;
	__u64 *drops = bpf_map_lookup_elem(&port_drops, &zero);
	struct verdict *verdict;
	void *map;

	if (drops)
		*drops += 1;
	flow.to = ctx->ingress_ifindex;
	verdict = bpf_map_lookup_elem(&flows, &flow);
	if (verdict && verdict->on)
		bpf_map_delete_elem(&shared, &verdict->both.wide);
	map = bpf_map_lookup_elem(&outer, &zero);
	if (map && bpf_map_lookup_elem(map, &zero))
		return XDP_DROP;
	bpf_ringbuf_output(&events, &zero, sizeof(zero), 0);
	return bpf_redirect_map(&ports, ctx->rx_queue_index, XDP_PASS);
}

char _license[] SEC("license") = "GPL";
