#include "frames.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Addresses for benchmarks: 198.18.0.0/15 (RFC 2544 appendix C.2.2) and 2001:2::/48 (RFC 5180 section 8). */
#define GOOD_IPV4 0xc6120001U /* 198.18.<source>.1 */
#define BOGUS_IPV4 0xc612fe01U /* 198.18.254.1: no good source is charged for these */
#define FLOOD_IPV4 0xc612ff01U /* 198.18.255.1 */
#define MULTICAST_IPV4 0xe0000001U
#define LOOPBACK_IPV4 0x7f000001U
#define SOURCE_PORT 40000
#define DESTINATION_PORT 9 /* discard */
#define TTL 64

/* TCP flags in the 13th byte (RFC 9293 section 3.1). */
#define FIN 0x01
#define SYN 0x02
#define PSH 0x08
#define URG 0x20

struct packet {
	struct frame *frame;
	unsigned frame_bytes;
	void *transport;
	unsigned transport_bytes; /* with everything behind it */
};

static uint32_t sum_of(const void *data, size_t bytes, uint32_t sum)
{
	const uint8_t *at = data;

	for (; bytes > 1; bytes -= 2, at += 2)
		sum += (uint32_t)at[0] << 8 | at[1];
	return sum;
}

/* The Internet checksum (RFC 1071) of a sum, in network order. */
static uint16_t checksum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static void start_ethernet(struct packet *packet, const struct options *options, uint16_t type)
{
	struct ethhdr *ethernet = (void *)packet->frame->bytes;

	memcpy(ethernet->h_dest, options->destination_mac, ETH_ALEN);
	memcpy(ethernet->h_source, options->source_mac, ETH_ALEN);
	ethernet->h_proto = htons(type);
	packet->frame_bytes = options->frame_bytes;
}

static struct iphdr *start_ipv4(struct packet *packet, const struct options *options, uint32_t source, uint8_t protocol)
{
	struct iphdr *ip = (void *)(packet->frame->bytes + ETH_HLEN);

	start_ethernet(packet, options, ETH_P_IP);
	ip->version = 4;
	ip->ihl = 5;
	ip->tot_len = htons((uint16_t)(options->frame_bytes - ETH_HLEN));
	ip->ttl = TTL;
	ip->protocol = protocol;
	ip->saddr = htonl(source);
	ip->daddr = options->destination_ipv4.s_addr;
	packet->transport = ip + 1;
	packet->transport_bytes = options->frame_bytes - ETH_HLEN - sizeof(*ip);
	packet->frame->sum = sum_of(&ip->saddr, 8, protocol + packet->transport_bytes);
	return ip;
}

static struct ipv6hdr *start_ipv6(struct packet *packet, const struct options *options, uint8_t subnet, uint8_t protocol)
{
	static const uint8_t PREFIX[] = { 0x20, 0x01, 0x00, 0x02 };
	struct ipv6hdr *ip = (void *)(packet->frame->bytes + ETH_HLEN);

	start_ethernet(packet, options, ETH_P_IPV6);
	packet->transport = ip + 1;
	packet->transport_bytes = options->frame_bytes - ETH_HLEN - sizeof(*ip);
	ip->version = 6;
	ip->payload_len = htons((uint16_t)packet->transport_bytes);
	ip->nexthdr = protocol;
	ip->hop_limit = TTL;
	memcpy(ip->saddr.s6_addr, PREFIX, sizeof(PREFIX));
	ip->saddr.s6_addr[7] = subnet; /* a /64 of its own */
	ip->saddr.s6_addr[15] = 1;
	ip->daddr = options->destination_ipv6;
	return ip;
}

static void finish_ipv6(struct packet *packet, const struct ipv6hdr *ip)
{
	packet->frame->sum = sum_of(&ip->saddr, 32, ip->nexthdr + packet->transport_bytes);
}

static void finish_ipv4(struct packet *packet, struct iphdr *ip)
{
	/* Addresses may have been changed since the start. */
	packet->frame->sum = sum_of(&ip->saddr, 8, ip->protocol + packet->transport_bytes);
	ip->check = 0;
	ip->check = checksum(sum_of(ip, sizeof(*ip), 0));
}

/* Sums what is between transport header and trailer, which stays as it is. */
static void finish_transport(struct packet *packet, size_t checksum_offset)
{
	struct frame *frame = packet->frame;

	frame->checksum_at = (uint16_t)((uint8_t *)packet->transport + checksum_offset - frame->bytes);
	frame->sum = sum_of(packet->transport, packet->transport_bytes - sizeof(struct trailer), frame->sum);
}

static struct udphdr *start_udp(struct packet *packet)
{
	struct udphdr *udp = packet->transport;

	udp->source = htons(SOURCE_PORT);
	udp->dest = htons(DESTINATION_PORT);
	udp->len = htons((uint16_t)packet->transport_bytes);
	return udp;
}

static void tcp(struct packet *packet, uint8_t flags)
{
	struct tcphdr *header = packet->transport;

	header->source = htons(SOURCE_PORT);
	header->dest = htons(DESTINATION_PORT);
	header->doff = 5;
	((uint8_t *)header)[13] = flags;
	finish_transport(packet, offsetof(struct tcphdr, check));
}

static void udp_over_ipv4(struct frame *frame, const struct options *options, uint32_t source)
{
	struct packet packet = { .frame = frame };
	struct iphdr *ip = start_ipv4(&packet, options, source, IPPROTO_UDP);

	start_udp(&packet);
	finish_ipv4(&packet, ip);
	finish_transport(&packet, offsetof(struct udphdr, check));
}

static void udp_over_ipv6(struct frame *frame, const struct options *options, uint8_t subnet)
{
	struct packet packet = { .frame = frame };
	struct ipv6hdr *ip = start_ipv6(&packet, options, subnet, IPPROTO_UDP);

	start_udp(&packet);
	finish_ipv6(&packet, ip);
	finish_transport(&packet, offsetof(struct udphdr, check));
}

/* One fault each, in packets that are right otherwise. */
enum fault {
	LAND, MULTICAST_SOURCE, LOOPBACK_SOURCE, BAD_IHL, BAD_TOTAL_LENGTH, BAD_UDP_LENGTH, PORT_ZERO, IPV4_FAULTS,
	TCP_SYN_FIN = IPV4_FAULTS, TCP_NULL, TCP_XMAS, TCP_AT_OFFSET_8, TCP_FAULTS,
	IPV6_MULTICAST_SOURCE = TCP_FAULTS, IPV6_LOOPBACK_SOURCE, FAULTS,
};

static void faulty_udp(struct frame *frame, const struct options *options, enum fault fault)
{
	struct packet packet = { .frame = frame };
	struct iphdr *ip = start_ipv4(&packet, options, BOGUS_IPV4, IPPROTO_UDP);
	struct udphdr *udp = start_udp(&packet);

	switch (fault) {
	case LAND: ip->saddr = ip->daddr; udp->source = udp->dest; break;
	case MULTICAST_SOURCE: ip->saddr = htonl(MULTICAST_IPV4); break;
	case LOOPBACK_SOURCE: ip->saddr = htonl(LOOPBACK_IPV4); break;
	case BAD_IHL: ip->ihl = 4; break;
	case BAD_TOTAL_LENGTH: ip->tot_len = htons(FRAME_BYTES_MAX + 1); break;
	case BAD_UDP_LENGTH: udp->len = htons((uint16_t)(packet.transport_bytes + 1)); break;
	default: udp->dest = 0; /* PORT_ZERO */
	}
	finish_ipv4(&packet, ip);
	finish_transport(&packet, offsetof(struct udphdr, check));
}

static void faulty_tcp(struct frame *frame, const struct options *options, enum fault fault)
{
	struct packet packet = { .frame = frame };
	struct iphdr *ip = start_ipv4(&packet, options, BOGUS_IPV4, IPPROTO_TCP);

	if (fault == TCP_AT_OFFSET_8)
		ip->frag_off = htons(1);
	finish_ipv4(&packet, ip);
	tcp(&packet, fault == TCP_SYN_FIN ? SYN | FIN : fault == TCP_XMAS ? FIN | PSH | URG : 0);
}

static void faulty_ipv6(struct frame *frame, const struct options *options, enum fault fault)
{
	struct packet packet = { .frame = frame };
	struct ipv6hdr *ip = start_ipv6(&packet, options, 0, IPPROTO_UDP);

	if (fault == IPV6_LOOPBACK_SOURCE)
		ip->saddr = in6addr_loopback;
	else
		ip->saddr.s6_addr[0] = 0xff;
	start_udp(&packet);
	finish_ipv6(&packet, ip);
	finish_transport(&packet, offsetof(struct udphdr, check));
}

struct frames make_frames(enum traffic_class class, const struct options *options)
{
	unsigned count = class == GOOD ? 2 * options->sources : class == BOGUS ? FAULTS : 1;
	struct frames frames = { .list = calloc(count, sizeof(struct frame)), .count = count };

	if (frames.list == NULL)
		die("no memory");
	for (unsigned at = 0; at < count; at++) {
		struct frame *frame = &frames.list[at];

		if (class == FLOOD)
			udp_over_ipv4(frame, options, FLOOD_IPV4);
		else if (class == GOOD && at % 2 == 0)
			udp_over_ipv4(frame, options, GOOD_IPV4 + (at / 2 << 8));
		else if (class == GOOD)
			udp_over_ipv6(frame, options, (uint8_t)(at / 2));
		else if (at < IPV4_FAULTS)
			faulty_udp(frame, options, at);
		else if (at < TCP_FAULTS)
			faulty_tcp(frame, options, at);
		else
			faulty_ipv6(frame, options, at);
	}
	return frames;
}

void number_frame(const struct frame *frame, const struct trailer *trailer, unsigned frame_bytes, uint8_t *out)
{
	uint8_t *end = out + frame_bytes - sizeof(*trailer);
	uint16_t sum;

	memcpy(out, frame->bytes, frame_bytes - sizeof(*trailer));
	memcpy(end, trailer, sizeof(*trailer));
	sum = checksum(sum_of(trailer, sizeof(*trailer), frame->sum));
	/* 0 would mean "no checksum" in UDP (RFC 768), and equals 0xffff in one's complement. */
	sum = sum == 0 ? 0xffff : sum;
	memcpy(out + frame->checksum_at, &sum, sizeof(sum));
}
