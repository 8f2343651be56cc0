// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Decides by the longest prefix that holds the source of an IPv4 packet. */
#include "showcase.h"

#ifndef RULES_MAX
#define RULES_MAX 65536
#endif

const volatile bool cfg_deny_unlisted = false;
const volatile bool cfg_dry_run = false;

enum action { ALLOW, DENY };

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, RULES_MAX);
	__type(key, struct prefix);
	__type(value, enum action);
} rules SEC(".maps");

COUNTERS(allowed, 1);
COUNTERS(denied, 1);

#if BUILD >= 2
/* When a denied source was seen last. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 16384);
	__type(key, __be32);
	__type(value, __u64);
} denied_sources SEC(".maps");
#endif

SEC(SECTION)
int ENTRY(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct prefix prefix = { .length = 32 };
	enum action *action;
	struct seen seen;

	if (!look((void *)(long)ctx->data, end, &seen))
		return PASS;
	prefix.address = seen.ip->saddr;
	action = bpf_map_lookup_elem(&rules, &prefix);
	if (action ? *action == ALLOW : !cfg_deny_unlisted) {
		add_to(&allowed, 0, 1);
		return PASS;
	}
	add_to(&denied, 0, 1);
#if BUILD >= 2
	__u64 now = bpf_ktime_get_ns();
	bpf_map_update_elem(&denied_sources, &prefix.address, &now, BPF_ANY);
#endif
	return cfg_dry_run ? PASS : DROP;
}
