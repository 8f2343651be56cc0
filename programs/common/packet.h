/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Reading packets: what the programs of the starter catalog share. Every function checks bounds against `end`. */
#ifndef HOOKLINE_PACKET_H
#define HOOKLINE_PACKET_H

#include <stdbool.h>

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VLAN_TAGS_MAX 2
/* More extension headers than any stack sends; RFC 8200 section 4.1 names six kinds, one of them twice. */
#define IPV6_EXTENSIONS_MAX 8

/* The fragment field of IPv4 (RFC 791 section 3.1), in host order: offsets count 8 bytes. */
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_FRAGMENT_OFFSET 0x1fff

struct vlan_tag {
	__be16 control;
	__be16 ethertype;
};

struct ipv6_fragment {
	__u8 next_header;
	__u8 reserved;
	__be16 offset; /* RFC 8200 section 4.5: offset in units of 8 bytes << 3 | reserved << 1 | more */
	__be32 identification;
};

/* What precedes the transport header of an IP packet. */
struct upper_layer {
	__u8 protocol;
	bool more_fragments;
	__u16 fragment_offset; /* in units of 8 bytes */
};

/* Moves *cursor behind the Ethernet header and up to two VLAN tags. The EtherType in host order, 0 when cut short. */
static __always_inline __u16 read_ethernet(void **cursor, void *end)
{
	struct ethhdr *ethernet = *cursor;
	__be16 ethertype;

	if ((void *)(ethernet + 1) > end)
		return 0;
	ethertype = ethernet->h_proto;
	*cursor = ethernet + 1;
#pragma unroll
	for (int tags = 0; tags < VLAN_TAGS_MAX; tags++) {
		struct vlan_tag *tag = *cursor;

		if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return 0;
		ethertype = tag->ethertype;
		*cursor = tag + 1;
	}
	return bpf_ntohs(ethertype);
}

/* What an IPv4 header says of the layer above it. */
static __always_inline struct upper_layer read_ipv4_upper(const struct iphdr *ip)
{
	__u16 fragment = bpf_ntohs(ip->frag_off);

	return (struct upper_layer){
		.protocol = ip->protocol,
		.more_fragments = fragment & IPV4_MORE_FRAGMENTS,
		.fragment_offset = fragment & IPV4_FRAGMENT_OFFSET,
	};
}

/*
 * Moves *cursor from behind the fixed IPv6 header to the transport header and fills `upper`. False when an extension
 * header is cut short. Stops at a later fragment (nothing of it can be read) and after IPV6_EXTENSIONS_MAX headers;
 * upper->protocol then names what stands at the cursor.
 */
static __always_inline bool read_ipv6_upper(void **cursor, void *end, __u8 protocol, struct upper_layer *upper)
{
	void *at = *cursor;

	upper->more_fragments = false;
	upper->fragment_offset = 0;
#pragma clang loop unroll(disable)
	for (int headers = 0; headers < IPV6_EXTENSIONS_MAX; headers++) {
		__u32 length;

		if (protocol == IPPROTO_FRAGMENT) {
			struct ipv6_fragment *fragment = at;
			__u16 offset;

			if ((void *)(fragment + 1) > end)
				return false;
			offset = bpf_ntohs(fragment->offset);
			upper->more_fragments = offset & 1;
			upper->fragment_offset = offset >> 3;
			protocol = fragment->next_header;
			at = fragment + 1;
			if (upper->fragment_offset != 0)
				break;
			continue;
		}
		if (protocol != IPPROTO_HOPOPTS && protocol != IPPROTO_ROUTING && protocol != IPPROTO_DSTOPTS &&
		    protocol != IPPROTO_AH)
			break;

		struct ipv6_opt_hdr *option = at;

		if ((void *)(option + 1) > end)
			return false;
		/* AH counts 4 bytes and leaves out two (RFC 4302 section 2.2), the others 8 and leave out one. */
		length = protocol == IPPROTO_AH ? ((__u32)option->hdrlen + 2) << 2 : ((__u32)option->hdrlen + 1) << 3;
		protocol = option->nexthdr;
		at += length;
		if (at > end)
			return false;
	}
	upper->protocol = protocol;
	*cursor = at;
	return true;
}

/* Adds to slot `key` of a per-cpu array: no other cpu writes it, so a plain addition is exact. */
static __always_inline void add_to(void *per_cpu_array, __u32 key, __u64 amount)
{
	__u64 *value = bpf_map_lookup_elem(per_cpu_array, &key);

	if (value)
		*value += amount;
}

#endif
