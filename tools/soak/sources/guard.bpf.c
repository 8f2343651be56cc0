// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Drops the packets that must not escape: those whose trailer says so (tools/lab/traffic/trailer.h), in frames of 128 bytes. */
#include "soak.h"

#define FRAME_BYTES 128
#define TRAILER_BYTES 32
#define MAGIC 0x686f6f6b6c696e65ULL
#define BANNED 2 /* what the traffic tool calls a flood */

struct trailer {
	__u64 magic;
	__u64 sequence;
	__u32 run;
	__u32 class;
};

const volatile __u32 cfg_label = 0;
__u64 labels;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} guard_dropped SEC(".maps");

SEC(SECTION)
int guard(CONTEXT *ctx)
{
	struct trailer *trailer = (void *)(long)ctx->data + FRAME_BYTES - TRAILER_BYTES;
	__u64 *dropped;
	__u32 key = 0;

	if ((void *)(trailer + 1) > (void *)(long)ctx->data_end)
		return PASS;
	if (trailer->magic != MAGIC || trailer->class != BANNED)
		return PASS;
	labels = cfg_label + RELEASE;
	dropped = bpf_map_lookup_elem(&guard_dropped, &key);
	if (dropped)
		*dropped += 1;
	return DROP;
}
