/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * What the programs of the benchmark share. A header such as counter.h defines the function `body` of one program with its
 * maps, all named after ID, so that one object can hold several: a chain that is compiled as one has to.
 */
#ifndef BENCH_PROGRAM_H
#define BENCH_PROGRAM_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define JOIN_(a, b) a##_##b
#define JOIN(a, b) JOIN_(a, b)
#define NAME(x) JOIN(x, ID)

/* The headers of an IPv4 packet that carries UDP, without options; 0 for any other. */
struct headers {
	struct ethhdr ethernet;
	struct iphdr ip;
	struct udphdr udp;
} __attribute__((packed));

static __always_inline struct headers *udp_over_ipv4(struct xdp_md *ctx)
{
	struct headers *headers = (void *)(long)ctx->data;

	if ((void *)(headers + 1) > (void *)(long)ctx->data_end)
		return 0;
	if (headers->ethernet.h_proto != bpf_htons(ETH_P_IP) || headers->ip.ihl != 5 ||
	    headers->ip.protocol != IPPROTO_UDP)
		return 0;
	return headers;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
