// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Puts packets into VLANs by their source, and takes the tag off what comes back. */
#include "showcase.h"

const volatile __u16 cfg_native_vlan = 0;

struct prefix {
	__u32 length;
	__be32 address;
};

struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, struct prefix);
	__type(value, __u16);
} tenants SEC(".maps");

COUNTERS(tagged, 4096);

SEC("tc")
int ENTRY(struct __sk_buff *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct prefix prefix = { .length = 32 };
	__u16 *found, tenant = cfg_native_vlan;
	struct seen seen;

#ifdef UNTAG
	if (ctx->vlan_present)
		bpf_skb_vlan_pop(ctx);
	return TC_ACT_OK;
#endif
	if (!look((void *)(long)ctx->data, end, &seen))
		return TC_ACT_OK;
	prefix.address = seen.ip->saddr;
	found = bpf_map_lookup_elem(&tenants, &prefix);
	if (found)
		tenant = *found;
	if (tenant == 0 || tenant > 4094)
		return TC_ACT_OK;
	add_to(&tagged, tenant, 1);
	return bpf_skb_vlan_push(ctx, bpf_htons(ETH_P_8021Q), tenant) ? TC_ACT_SHOT : TC_ACT_OK;
}
