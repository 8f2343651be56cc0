/* Functions of the module nf_conntrack, as far as a program that asks for connections needs them. */
#ifndef HOOKLINE_TEST_CONNTRACK_H
#define HOOKLINE_TEST_CONNTRACK_H

#include <linux/bpf.h>
#include <linux/in.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct nf_conn {
	unsigned long status;
} __attribute__((preserve_access_index));

/* The first form of its options: 12 bytes on every kernel that has them. */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
} __attribute__((preserve_access_index));

void bpf_ct_release(struct nf_conn *connection) __ksym;

/* A connection of this machine's namespace: from 192.0.2.1 to 198.51.100.1, to a port that the packet names in part. */
static __always_inline void connection_to(struct bpf_sock_tuple *tuple, struct bpf_ct_opts *options, __u16 port)
{
	__builtin_memset(tuple, 0, sizeof(*tuple));
	tuple->ipv4.saddr = bpf_htonl(0xc0000201);
	tuple->ipv4.daddr = bpf_htonl(0xc6336401);
	tuple->ipv4.sport = bpf_htons(40000);
	tuple->ipv4.dport = bpf_htons(port);
	__builtin_memset(options, 0, sizeof(*options));
	options->netns_id = -1; /* BPF_F_CURRENT_NETNS */
	options->l4proto = IPPROTO_TCP;
}

#endif
