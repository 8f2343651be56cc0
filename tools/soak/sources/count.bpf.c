// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Counts what reaches it twice, in a map and in a variable: neither may miss a packet, whatever the chain goes through. */
#include "soak.h"

const volatile __u32 cfg_label = 0;
__u64 counted;
__u64 labels;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} count_packets SEC(".maps");

SEC(SECTION)
int count(CONTEXT *ctx)
{
	__u32 key = 0;
	__u64 *packets;

	__sync_fetch_and_add(&counted, 1);
	packets = bpf_map_lookup_elem(&count_packets, &key);
	if (packets)
		*packets += 1;
	labels = cfg_label + RELEASE; /* one release differs from another, and one configuration */
	return PASS;
}
