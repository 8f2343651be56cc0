// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Gives packets a priority and a mark by what they are for; queueing disciplines and routes go by these. */
#include "showcase.h"

const volatile __u32 cfg_default_class = 0;

struct service {
	__u16 port;
	__u8 protocol;
	__u8 pad;
};

struct treatment {
	__u32 priority;
	__u32 mark;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1024);
	__type(key, struct service);
	__type(value, struct treatment);
} classes SEC(".maps");

COUNTERS(marked, 16);

SEC("tc")
int ENTRY(struct __sk_buff *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct treatment *treatment;
	struct service service = {};
	struct seen seen;

	if (!look((void *)(long)ctx->data, end, &seen))
		return TC_ACT_OK;
	service.port = bpf_ntohs(seen.ports->destination);
	service.protocol = seen.ip->protocol;
	treatment = bpf_map_lookup_elem(&classes, &service);
	if (!treatment) {
		ctx->priority = cfg_default_class;
		return TC_ACT_OK;
	}
	ctx->priority = treatment->priority;
	ctx->mark = treatment->mark;
	add_to(&marked, treatment->priority & 15, 1);
	return TC_ACT_OK;
}
