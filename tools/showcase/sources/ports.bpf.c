// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Decides by protocol and destination port. */
#include "showcase.h"

const volatile bool cfg_deny_unlisted = true;

enum action { ALLOW, DENY };

struct service {
	__u16 port;
	__u8 protocol;
	__u8 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, struct service);
	__type(value, enum action);
} services SEC(".maps");

COUNTERS(denied, 1);
#if BUILD >= 2
COUNTERS(denied_by_protocol, 256);
#endif

SEC(SECTION)
int ENTRY(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct service service = {};
	enum action *action;
	struct seen seen;

	if (!look((void *)(long)ctx->data, end, &seen))
		return PASS;
	service.port = bpf_ntohs(seen.ports->destination);
	service.protocol = seen.ip->protocol;
	action = bpf_map_lookup_elem(&services, &service);
	if (action ? *action == ALLOW : !cfg_deny_unlisted)
		return PASS;
	add_to(&denied, 0, 1);
#if BUILD >= 2
	add_to(&denied_by_protocol, service.protocol, 1);
#endif
	return DROP;
}
