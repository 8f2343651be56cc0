/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the templates of the showcase share. ENTRY names the function, HOOK_TC places it on TC rather than XDP, BUILD is 2 for the
 * later releases of a program, so that they differ from the earlier ones as real ones do.
 */
#ifndef HOOKLINE_SHOWCASE_H
#define HOOKLINE_SHOWCASE_H

#include "../../../programs/common/packet.h"

#include <linux/pkt_cls.h>

#ifndef BUILD
#define BUILD 1
#endif

#ifdef HOOK_TC
#define CONTEXT struct __sk_buff
#define SECTION "tc"
#define PASS TC_ACT_OK
#define DROP TC_ACT_SHOT
#else
#define CONTEXT struct xdp_md
#define SECTION "xdp"
#define PASS XDP_PASS
#define DROP XDP_DROP
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define COUNTERS(name, slots)                                                                                        \
	struct {                                                                                                     \
		__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);                                                             \
		__uint(max_entries, slots);                                                                          \
		__type(key, __u32);                                                                                  \
		__type(value, __u64);                                                                                \
	} name SEC(".maps")

/* The ports of TCP and UDP, which begin alike (RFC 9293 section 3.1, RFC 768). */
struct ports {
	__be16 source;
	__be16 destination;
};

/* What the templates look at of an IPv4 packet whose transport header is in reach. */
struct seen {
	struct iphdr *ip;
	struct ports *ports;
};

/* Finds the headers of an unfragmented IPv4 packet without options. False for all else. */
static __always_inline bool look(void *data, void *end, struct seen *seen)
{
	void *cursor = data;
	struct iphdr *ip;

	if (read_ethernet(&cursor, end) != ETH_P_IP)
		return false;
	ip = cursor;
	if ((void *)(ip + 1) > end || ip->ihl != 5 || read_ipv4_upper(ip).fragment_offset != 0)
		return false;
	seen->ip = ip;
	seen->ports = (void *)(ip + 1);
	return (void *)(seen->ports + 1) <= end;
}

#endif
