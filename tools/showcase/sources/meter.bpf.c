// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Counts packets and bytes in slots. SLOT is an expression over `seen` and `length`. */
#include "showcase.h"

#ifndef SLOTS
#define SLOTS 256
#endif
#ifndef SLOT
#define SLOT (seen.ip->tos >> 2)
#endif

const volatile __u32 cfg_sample = 1;

COUNTERS(packets, SLOTS);
COUNTERS(bytes, SLOTS);
#if BUILD >= 2
struct {
	__uint(type, BPF_MAP_TYPE_LRU_PERCPU_HASH);
	__uint(max_entries, 8192);
	__type(key, __be32);
	__type(value, __u64);
} by_source SEC(".maps");
#endif

SEC(SECTION)
int ENTRY(CONTEXT *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u64 length = end - data;
	struct seen seen;
	__u32 slot;

	if (!look(data, end, &seen) || (cfg_sample > 1 && bpf_get_prandom_u32() % cfg_sample))
		return PASS;
	slot = SLOT;
	add_to(&packets, slot, 1);
	add_to(&bytes, slot, length);
#if BUILD >= 2
	__be32 source = seen.ip->saddr;
	__u64 *known = bpf_map_lookup_elem(&by_source, &source);

	if (known)
		*known += length;
	else
		bpf_map_update_elem(&by_source, &source, &length, BPF_ANY);
#endif
	return PASS;
}
