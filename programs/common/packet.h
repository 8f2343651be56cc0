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
/* Bits that hold the length of an Ethernet header with its tags, at most 22. */
#define ETHERNET_BYTES_MASK 31
/* Bits that hold the length of all extension headers; more than 16 KiB of them is refused as cut short. */
#define IPV6_OFFSET_MASK 16383

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

/*
 * Zero, which the kernel's verifier takes for any number: it does not see that the subtraction is of a byte from itself.
 * Adding it to a value makes paths that differ only in that value look alike, so that the verifier walks what follows
 * once and not once for each: a chain is verified as one program, and has a budget.
 */
static __always_inline __u32 opaque_zero(const void *byte)
{
	__u64 zero = *(const __u8 *)byte;

	asm volatile("%0 -= %0" : "+r"(zero));
	return zero;
}

/* Moves *cursor behind the Ethernet header and up to two VLAN tags. The EtherType in host order, 0 when cut short. */
static __always_inline __u16 read_ethernet(void **cursor, void *end)
{
	struct ethhdr *ethernet = *cursor;
	struct vlan_tag *tag = (void *)(ethernet + 1);
	__be16 ethertype;

	if ((void *)(ethernet + 1) > end)
		return 0;
	ethertype = ethernet->h_proto;
#pragma unroll
	for (int tags = 0; tags < VLAN_TAGS_MAX; tags++) {
		if (ethertype != bpf_htons(ETH_P_8021Q) && ethertype != bpf_htons(ETH_P_8021AD))
			break;
		if ((void *)(tag + 1) > end)
			return 0;
		ethertype = tag->ethertype;
		tag++;
	}
	/* 14, 18 or 22 bytes: within the mask, so that it changes nothing */
	*cursor += (((void *)tag - (void *)ethernet) + opaque_zero(ethernet)) & ETHERNET_BYTES_MASK;
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

/* The extension headers that can be walked (RFC 8200 section 4, RFC 4302); all begin with the next header's number. */
static __always_inline bool is_ipv6_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_AH || protocol == IPPROTO_FRAGMENT;
}

/*
 * Moves *cursor from behind the fixed IPv6 header to the transport header and fills `upper`. False when an extension
 * header is cut short. Stops at a later fragment (nothing of it can be read) and after IPV6_EXTENSIONS_MAX headers;
 * upper->protocol then names what stands at the cursor.
 */
static __always_inline bool read_ipv6_upper(void **cursor, void *end, __u8 protocol, struct upper_layer *upper)
{
	void *base = *cursor;
	__u32 offset, zero;

	if (base + 1 > end) {
		/* nothing behind the fixed header: whole, if it says so itself */
		*upper = (struct upper_layer){ .protocol = protocol };
		return !is_ipv6_extension(protocol);
	}
	zero = opaque_zero(base);
	offset = zero & IPV6_OFFSET_MASK;
	upper->more_fragments = zero & 1;
	upper->fragment_offset = zero & IPV4_FRAGMENT_OFFSET;
#pragma clang loop unroll(disable)
	for (int headers = 0; headers < IPV6_EXTENSIONS_MAX; headers++) {
		struct ipv6_opt_hdr *option = base + offset;
		__u32 length;

		if (!is_ipv6_extension(protocol))
			break;
		if ((void *)(option + 1) > end)
			return false;
		/* AH counts 4 bytes and leaves out two (RFC 4302 section 2.2), the others 8 and leave out one. */
		length = protocol == IPPROTO_AH ? ((__u32)option->hdrlen + 2) << 2 : ((__u32)option->hdrlen + 1) << 3;
		if (protocol == IPPROTO_FRAGMENT) {
			struct ipv6_fragment *fragment = (void *)option;
			__u16 field;

			if ((void *)(fragment + 1) > end)
				return false;
			field = bpf_ntohs(fragment->offset);
			upper->more_fragments = field & 1;
			upper->fragment_offset = field >> 3;
			length = sizeof(*fragment);
		}
		protocol = option->nexthdr;
		offset += length;
		if (offset > IPV6_OFFSET_MASK)
			return false;
		offset = (offset + zero) & IPV6_OFFSET_MASK;
		if (base + offset > end)
			return false;
		if (upper->fragment_offset != 0)
			break; /* what follows is the middle of something */
	}
	upper->protocol = protocol;
	*cursor = base + offset;
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
