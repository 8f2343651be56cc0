// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// The map definitions of before BTF, which libbpf 1.0 dropped.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct {
	unsigned int type, key_size, value_size, max_entries, flags;
} old SEC("maps") = { BPF_MAP_TYPE_ARRAY, 4, 8, 1, 0 };

SEC("xdp")
int use_old(struct xdp_md *ctx)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&old, &zero) ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
