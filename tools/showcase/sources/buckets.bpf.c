// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Limits what a source may send of one protocol, by the second. PROTOCOL and, for TCP and UDP, PORT say of what. */
#include "showcase.h"

const volatile __u32 cfg_rate = 100;
const volatile __u32 cfg_burst = 200;
#if BUILD >= 2
const volatile __u8 cfg_prefix = 32;
#endif

struct bucket {
	__u64 since;
	__u32 tokens;
	__u32 refused;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 131072);
	__type(key, __be32);
	__type(value, struct bucket);
} sources SEC(".maps");

COUNTERS(passed, 1);
COUNTERS(dropped, 1);

SEC(SECTION)
int ENTRY(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	__u64 now = bpf_ktime_get_ns();
	struct bucket fresh = { .since = now, .tokens = cfg_burst };
	struct bucket *bucket;
	struct seen seen;
	__be32 source;

	if (!look((void *)(long)ctx->data, end, &seen) || seen.ip->protocol != PROTOCOL)
		return PASS;
#ifdef PORT
	if (seen.ports->source != bpf_htons(PORT))
		return PASS;
#endif
	source = seen.ip->saddr;
#if BUILD >= 2
	source &= bpf_htonl(cfg_prefix >= 32 ? ~0U : ~(~0U >> cfg_prefix));
#endif
	bucket = bpf_map_lookup_elem(&sources, &source);
	if (!bucket) {
		bpf_map_update_elem(&sources, &source, &fresh, BPF_ANY);
		add_to(&passed, 0, 1);
		return PASS;
	}
	if (now - bucket->since > 1000000000ULL) {
		bucket->since = now;
		bucket->tokens = cfg_rate;
	}
	if (bucket->tokens == 0) {
		bucket->refused++;
		add_to(&dropped, 0, 1);
		return DROP;
	}
	bucket->tokens--;
	add_to(&passed, 0, 1);
	return PASS;
}
