// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/*
 * A token bucket per source. A bucket is one number: the time at which it is full again. What is missing now is that time
 * minus the present, so tokens and last change sit in one 64-bit word that any cpu can move by compare-and-swap
 * (the "virtual scheduling" form of the generic cell rate algorithm, ITU-T I.371 annex A).
 */
#include "../common/packet.h"

#include <linux/tcp.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#ifndef DEFAULT_RATE
#define DEFAULT_RATE 1000
#endif
#ifndef DEFAULT_BURST
#define DEFAULT_BURST 2000
#endif
#ifndef MAX_SOURCES
#define MAX_SOURCES 65536
#endif

/*
 * Time is kept in sixteenths of a nanosecond: a packet at 1,000,000 packets/s then costs 16000 ticks, exact to 0.006 %,
 * and 2^64 ticks are 36 years of uptime.
 */
#define TICKS_PER_NS 16ULL
#define TICKS_PER_S (1000000000ULL * TICKS_PER_NS)
/* At 1 packet/s a bucket of this size spans 1.6e17 ticks: added to any uptime it stays below 2^64. */
#define BURST_MAX 10000000ULL
/* Cpus that fight over one bucket: after this many lost races the packet is charged without a further look. */
#define SWAP_ATTEMPTS 8
#define IPV4_BITS 32
#define IPV6_BITS 128

const volatile __u32 cfg_rate = DEFAULT_RATE;	/* packets/s of one source; 0 limits nothing */
const volatile __u32 cfg_burst = DEFAULT_BURST; /* packets that a rested source may send at once */
const volatile __u8 cfg_ipv4_prefix = 32;	/* bits of an IPv4 address that make a source */
const volatile __u8 cfg_ipv6_prefix = 64;	/* bits of an IPv6 address that make a source */
const volatile bool cfg_new_tcp_only = false;	/* limit only TCP SYN: new connections/s */

/* An IPv6 address in network order; IPv4 is mapped (::ffff:a.b.c.d). Bits behind the prefix are 0. */
struct source {
	__be64 high;
	__be64 low;
};

struct bucket {
	__u64 full_at; /* ticks on the clock of bpf_ktime_get_ns; a time in the past is a full bucket */
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, MAX_SOURCES);
	__type(key, struct source);
	__type(value, struct bucket);
} rl_buckets SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} rl_passed SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} rl_dropped SEC(".maps");

/* The bucket of a source; a source not seen before gets a full one. NULL only when the kernel has no memory. */
static __always_inline struct bucket *bucket_of(const struct source *source, __u64 now)
{
	struct bucket *bucket = bpf_map_lookup_elem(&rl_buckets, source);
	struct bucket full = { .full_at = now };

	if (bucket)
		return bucket;
	/* Another cpu may have been first: its bucket is the one then, so the result of the update does not matter. */
	bpf_map_update_elem(&rl_buckets, source, &full, BPF_NOEXIST);
	return bpf_map_lookup_elem(&rl_buckets, source);
}

/* Takes one token of the source. False when its bucket is empty. */
static __noinline bool take_token(const struct source *source)
{
	__u64 now = bpf_ktime_get_ns() * TICKS_PER_NS;
	__u64 burst = cfg_burst ? cfg_burst : 1;
	__u64 cost = TICKS_PER_S / cfg_rate;
	__u64 capacity = cost * (burst < BURST_MAX ? burst : BURST_MAX);
	struct bucket *bucket = bucket_of(source, now);

	if (!bucket)
		return true;
#pragma clang loop unroll(disable)
	for (int attempt = 0; attempt < SWAP_ATTEMPTS; attempt++) {
		__u64 seen = *(volatile __u64 *)&bucket->full_at;
		__u64 missing = seen > now ? seen - now : 0;

		/* A bucket filled under another rate may owe more than it holds now: it is empty, not worse. */
		if (missing > capacity) {
			__sync_val_compare_and_swap(&bucket->full_at, seen, now + capacity);
			return false;
		}
		if (missing + cost > capacity)
			return false;
		if (__sync_val_compare_and_swap(&bucket->full_at, seen, now + missing + cost) == seen)
			return true;
	}
	__sync_fetch_and_add(&bucket->full_at, cost);
	return true;
}

/* The first `bits` (0 to 64) bits set, in network order. */
static __always_inline __be64 leading_bits(__u32 bits)
{
	if (bits == 0)
		return 0;
	return bpf_cpu_to_be64(~0ULL << (64 - bits));
}

static __always_inline struct source ipv4_source(const struct iphdr *ip)
{
	__u32 prefix = cfg_ipv4_prefix < IPV4_BITS ? cfg_ipv4_prefix : IPV4_BITS;
	__u64 mapped = 0xffffULL << 32 | bpf_ntohl(ip->saddr);

	return (struct source){ .high = 0, .low = bpf_cpu_to_be64(mapped) & leading_bits(32 + prefix) };
}

static __always_inline struct source ipv6_source(const struct ipv6hdr *ip)
{
	__u32 prefix = cfg_ipv6_prefix < IPV6_BITS ? cfg_ipv6_prefix : IPV6_BITS;
	struct source source;

	__builtin_memcpy(&source, &ip->saddr, sizeof(source));
	source.high &= leading_bits(prefix < 64 ? prefix : 64);
	source.low &= leading_bits(prefix < 64 ? 0 : prefix - 64);
	return source;
}

/* Whether the packet opens a TCP connection: SYN without ACK, in a packet that shows its TCP header. */
static __always_inline bool opens_tcp(void *at, void *end, struct upper_layer upper)
{
	struct tcphdr *tcp = at;

	if (upper.protocol != IPPROTO_TCP || upper.fragment_offset != 0 || (void *)(tcp + 1) > end)
		return false;
	return tcp->syn && !tcp->ack;
}

/* Fills `source`. False for a packet that is not limited: not IP, cut short, or not what cfg_new_tcp_only asks for. */
static __always_inline bool limited_source(void *data, void *end, struct source *source)
{
	void *cursor = data;

	switch (read_ethernet(&cursor, end)) {
	case ETH_P_IP: {
		struct iphdr *ip = cursor;

		if ((void *)(ip + 1) > end)
			return false;
		*source = ipv4_source(ip);
		return !cfg_new_tcp_only || opens_tcp(cursor + ip->ihl * 4, end, read_ipv4_upper(ip));
	}
	case ETH_P_IPV6: {
		struct ipv6hdr *ip = cursor;
		struct upper_layer upper;

		if ((void *)(ip + 1) > end)
			return false;
		*source = ipv6_source(ip);
		if (!cfg_new_tcp_only)
			return true;
		cursor = ip + 1;
		return read_ipv6_upper(&cursor, end, ip->nexthdr, &upper) && opens_tcp(cursor, end, upper);
	}
	default:
		return false;
	}
}

SEC("xdp")
int xdp_ratelimit(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	struct source source;

	if (cfg_rate == 0 || !limited_source(data, end, &source))
		return XDP_PASS;
	if (!take_token(&source)) {
		add_to(&rl_dropped, 0, 1);
		return XDP_DROP;
	}
	add_to(&rl_passed, 0, 1);
	return XDP_PASS;
}
