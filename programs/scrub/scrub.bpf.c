// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * Drops packets that no honest peer sends. Each group of checks has a switch and each reason a counter. A packet that
 * cannot be read any further, because a switch lets a broken header through, passes.
 */
#include "../common/packet.h"

#include <linux/icmpv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

const volatile bool cfg_check_headers = true;	      /* IPv4, IPv6, TCP and UDP headers and lengths that contradict */
const volatile bool cfg_check_sources = true;	      /* addresses that cannot send, loopback on a wire */
const volatile bool cfg_check_land = true;	      /* a packet from its own receiver's address and port */
const volatile bool cfg_check_tcp_flags = true;	      /* combinations of flags that TCP never sends */
const volatile bool cfg_check_fragments = true;	      /* fragments that hide or overwrite a transport header */
const volatile bool cfg_check_ports = true;	      /* port 0, but for the source of UDP */
const volatile bool cfg_check_udp_source_port = true; /* source port 0 of UDP, which RFC 768 allows */

/* Slots of scrub_drops; README.md lists them. Part of the contract: never renumbered. */
enum reason {
	IPV4_HEADER,
	IPV4_LENGTH,
	IPV4_SOURCE,
	IPV6_HEADER,
	IPV6_LENGTH,
	IPV6_SOURCE,
	LAND,
	TCP_HEADER,
	TCP_FLAGS,
	UDP_LENGTH,
	FRAGMENT,
	PORT_ZERO,
	REASONS,
	KEEP = REASONS,
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, REASONS);
	__type(key, __u32);
	__type(value, __u64);
} scrub_drops SEC(".maps");

#define IP_BYTES_MAX 65535
/* RFC 1858 section 3: a first fragment that is shorter hides the flags of TCP. */
#define TCP_FIRST_FRAGMENT_MIN 16
/* The part of a TCP header that is read: ports to flags. */
#define TCP_READ_BYTES 14

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10
/* FIN SYN RST PSH ACK URG; the bits of ECN stand apart. */
#define TCP_CONTROL_BITS 0x3f

#define DHCP_SERVER_PORT 67
#define DHCP_CLIENT_PORT 68

/* ICMPv6 types that may come from the unspecified address. */
#define ND_ROUTER_SOLICIT 133
#define ND_NEIGHBOR_SOLICIT 135

/* What the IP layer knows of a transport segment. */
struct segment {
	__u32 length; /* bytes behind the IP headers, by the IP header's own count */
	bool same_host; /* source and destination address are equal */
	bool unsized; /* a jumbogram (RFC 2675): the IP header does not count */
	struct upper_layer upper;
};

struct ports {
	__be16 source;
	__be16 destination;
};

/* The part of a TCP header up to its flags (RFC 9293 section 3.1); a first fragment may end soon after. */
struct tcp_start {
	struct ports ports;
	__be32 sequence;
	__be32 acknowledgement;
	__u8 data_offset; /* upper 4 bits: header length in units of 4 bytes */
	__u8 flags;
};

static __always_inline bool impossible_flags(__u8 flags)
{
	__u8 control = flags & TCP_CONTROL_BITS;

	if (control == 0)
		return true; /* a "null" scan */
	if ((control & TCP_SYN) && (control & (TCP_FIN | TCP_RST)))
		return true;
	return (control & TCP_FIN) && !(control & TCP_ACK); /* FIN alone, and the "xmas" scan */
}

static __always_inline enum reason check_ports(struct ports ports, const struct segment *segment)
{
	if (cfg_check_land && segment->same_host && ports.source == ports.destination)
		return LAND;
	if (cfg_check_ports && ports.destination == 0)
		return PORT_ZERO;
	return KEEP;
}

static __noinline enum reason check_tcp(const struct tcp_start *tcp, const void *end, const struct segment *segment)
{
	enum reason reason;
	__u32 header;

	if ((void *)tcp + TCP_READ_BYTES > end || segment->length < TCP_READ_BYTES)
		return cfg_check_headers && !segment->upper.more_fragments ? TCP_HEADER : KEEP;
	header = (tcp->data_offset >> 4) * 4;
	/* A header with options may go on in the second fragment. */
	if (cfg_check_headers && (header < sizeof(struct tcphdr) ||
				  (!segment->upper.more_fragments && header > segment->length)))
		return TCP_HEADER;
	reason = check_ports(tcp->ports, segment);
	if (reason != KEEP)
		return reason;
	if (cfg_check_ports && tcp->ports.source == 0)
		return PORT_ZERO;
	if (cfg_check_tcp_flags && impossible_flags(tcp->flags))
		return TCP_FLAGS;
	return KEEP;
}

static __noinline enum reason check_udp(const struct udphdr *udp, const void *end, const struct segment *segment)
{
	enum reason reason;
	__u32 length;

	if ((void *)(udp + 1) > end || segment->length < sizeof(*udp))
		return cfg_check_headers && !segment->upper.more_fragments ? UDP_LENGTH : KEEP;
	length = bpf_ntohs(udp->len);
	/* Bytes behind the datagram are allowed: UDP options live there (RFC 9868). A jumbogram may count 0 (RFC 2675). */
	if (cfg_check_headers && !segment->unsized &&
	    (length < sizeof(*udp) || (!segment->upper.more_fragments && length > segment->length)))
		return UDP_LENGTH;
	reason = check_ports((struct ports){ .source = udp->source, .destination = udp->dest }, segment);
	if (reason != KEEP)
		return reason;
	if (cfg_check_udp_source_port && udp->source == 0)
		return PORT_ZERO;
	return KEEP;
}

/* Fragments: RFC 791 and RFC 8200 section 4.5 for the lengths, RFC 1858 and RFC 3128 for what attacks do with them. */
static __always_inline bool bad_fragment(const struct segment *segment)
{
	const struct upper_layer *upper = &segment->upper;

	if (!upper->more_fragments && upper->fragment_offset == 0)
		return false;
	if (segment->length == 0)
		return true;
	if (upper->more_fragments && segment->length % 8 != 0)
		return true; /* the next one would overlap or leave a gap */
	if (upper->fragment_offset * 8 + segment->length > IP_BYTES_MAX)
		return true; /* the "ping of death" */
	if (upper->protocol != IPPROTO_TCP)
		return false;
	if (upper->fragment_offset == 1)
		return true; /* would overwrite the flags */
	return upper->fragment_offset == 0 && segment->length < TCP_FIRST_FRAGMENT_MIN;
}

static __always_inline enum reason check_segment(void *at, void *end, const struct segment *segment)
{
	if (cfg_check_fragments && bad_fragment(segment))
		return FRAGMENT;
	if (segment->upper.fragment_offset != 0)
		return KEEP; /* no transport header in here */
	if (segment->upper.protocol == IPPROTO_TCP)
		return check_tcp(at, end, segment);
	if (segment->upper.protocol == IPPROTO_UDP)
		return check_udp(at, end, segment);
	return KEEP;
}

/* The unspecified address sends DHCP (RFC 2131 section 4.1) and IGMP (RFC 3376 section 4.2.13), and nothing else. */
static __always_inline bool may_be_unspecified(const struct iphdr *ip, void *at, void *end)
{
	struct udphdr *udp = at;

	if (ip->protocol == IPPROTO_IGMP)
		return (bpf_ntohl(ip->daddr) & 0xf0000000) == 0xe0000000;
	if (ip->protocol != IPPROTO_UDP || ip->daddr != bpf_htonl(INADDR_BROADCAST))
		return false;
	if (bpf_ntohs(ip->frag_off) & IPV4_FRAGMENT_OFFSET)
		return true;
	return (void *)(udp + 1) <= end && udp->source == bpf_htons(DHCP_CLIENT_PORT) &&
	       udp->dest == bpf_htons(DHCP_SERVER_PORT);
}

static __always_inline bool bad_ipv4_address(const struct iphdr *ip, void *at, void *end)
{
	__u32 source = bpf_ntohl(ip->saddr);

	if (source == INADDR_ANY)
		return !may_be_unspecified(ip, at, end);
	if (source == INADDR_BROADCAST || (source & 0xf0000000) == 0xe0000000)
		return true;
	/* Loopback never leaves its host (RFC 1122 section 3.2.1.3), neither as source nor as destination. */
	return source >> 24 == 127 || bpf_ntohl(ip->daddr) >> 24 == 127;
}

static __always_inline enum reason check_ipv4(void *cursor, void *end)
{
	struct iphdr *ip = cursor;
	struct segment segment;
	__u32 header, total;
	void *at;

	if ((void *)(ip + 1) > end)
		return cfg_check_headers ? IPV4_HEADER : KEEP;
	header = ip->ihl * 4;
	total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip))
		return cfg_check_headers ? IPV4_HEADER : KEEP;
	/* A frame may be longer than its packet: Ethernet pads to 60 bytes. */
	if (total < header || cursor + total > end)
		return cfg_check_headers ? IPV4_LENGTH : KEEP;
	at = cursor + header;
	if (cfg_check_sources && bad_ipv4_address(ip, at, end))
		return IPV4_SOURCE;
	segment = (struct segment){
		.length = total - header,
		.same_host = ip->saddr == ip->daddr,
		.upper = read_ipv4_upper(ip),
	};
	return check_segment(at, end, &segment);
}

static __always_inline bool is_loopback(const struct in6_addr *address)
{
	const __be32 *words = address->in6_u.u6_addr32;

	return (words[0] | words[1] | words[2]) == 0 && words[3] == bpf_htonl(1);
}

static __always_inline bool is_unspecified(const struct in6_addr *address)
{
	const __be32 *words = address->in6_u.u6_addr32;

	return (words[0] | words[1] | words[2] | words[3]) == 0;
}

static __always_inline bool is_same(const struct in6_addr *a, const struct in6_addr *b)
{
	const __be32 *x = a->in6_u.u6_addr32, *y = b->in6_u.u6_addr32;

	return ((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3])) == 0;
}

/*
 * The unspecified address sends neighbour solicitations (duplicate address detection, RFC 4862 section 5.4.2), router
 * solicitations (RFC 4861 section 4.1) and multicast listener messages (RFC 3590, RFC 3810 section 5.2.13).
 */
static __always_inline bool may_be_unspecified_ipv6(const struct upper_layer *upper, void *at, void *end)
{
	__u8 *type = at;

	if (upper->protocol != IPPROTO_ICMPV6 || upper->fragment_offset != 0 || (void *)(type + 1) > end)
		return false;
	return *type == ND_NEIGHBOR_SOLICIT || *type == ND_ROUTER_SOLICIT ||
	       (*type >= ICMPV6_MGM_QUERY && *type <= ICMPV6_MGM_REDUCTION) || *type == ICMPV6_MLD2_REPORT;
}

static __always_inline bool bad_ipv6_address(const struct ipv6hdr *ip, const struct upper_layer *upper, void *at,
					     void *end)
{
	if (ip->saddr.in6_u.u6_addr8[0] == 0xff)
		return true;
	if (is_unspecified(&ip->saddr))
		return !may_be_unspecified_ipv6(upper, at, end);
	return is_loopback(&ip->saddr) || is_loopback(&ip->daddr);
}

static __noinline enum reason check_ipv6(void *cursor, void *end)
{
	struct ipv6hdr *ip = cursor;
	struct segment segment;
	void *at;
	__u32 payload, extensions;

	if ((void *)(ip + 1) > end || ip->version != 6)
		return cfg_check_headers ? IPV6_HEADER : KEEP;
	at = ip + 1;
	payload = bpf_ntohs(ip->payload_len);
	/* Linux 6.1 does not know that a number of two bytes is small once they are swapped. */
	asm volatile("%0 &= 0xffff" : "+r"(payload));
	if (at + payload > end)
		return cfg_check_headers ? IPV6_LENGTH : KEEP;
	/* A first fragment holds the whole header chain (RFC 7112), so what is cut short here is never whole elsewhere. */
	if (!read_ipv6_upper(&at, end, ip->nexthdr, &segment.upper))
		return cfg_check_headers ? IPV6_HEADER : KEEP;
	segment.unsized = payload == 0 && ip->nexthdr == IPPROTO_HOPOPTS;
	extensions = at - (void *)(ip + 1);
	if (segment.unsized)
		segment.length = end - at;
	else if (extensions > payload)
		return cfg_check_headers ? IPV6_LENGTH : KEEP;
	else
		segment.length = payload - extensions;
	if (cfg_check_sources && bad_ipv6_address(ip, &segment.upper, at, end))
		return IPV6_SOURCE;
	segment.same_host = is_same(&ip->saddr, &ip->daddr);
	return check_segment(at, end, &segment);
}

SEC("xdp")
int xdp_scrub(struct xdp_md *ctx)
{
	void *cursor = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	enum reason reason = KEEP;

	switch (read_ethernet(&cursor, end)) {
	case ETH_P_IP:
		reason = check_ipv4(cursor, end);
		break;
	case ETH_P_IPV6:
		reason = check_ipv6(cursor, end);
		break;
	}
	if (reason == KEEP)
		return XDP_PASS;
	add_to(&scrub_drops, reason, 1);
	return XDP_DROP;
}
