// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What is particular to TC: verdicts, fields of the context, and helpers for socket buffers.
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#ifndef TC
#define TC SEC("tc")
#endif

__u64 total;
unsigned long long load_byte(void *skb, unsigned long long off) asm("llvm.bpf.load.byte");

TC int next(struct __sk_buff *skb) { return TC_ACT_UNSPEC; }
TC int ok(struct __sk_buff *skb) { return TC_ACT_OK; }
TC int pipe(struct __sk_buff *skb) { return TC_ACT_PIPE; }
TC int shot(struct __sk_buff *skb) { return TC_ACT_SHOT; }
TC int stolen(struct __sk_buff *skb) { return TC_ACT_STOLEN; }
TC int queued(struct __sk_buff *skb) { return TC_ACT_QUEUED; }
TC int trap(struct __sk_buff *skb) { return TC_ACT_TRAP; }
TC int redirected(struct __sk_buff *skb) { return TC_ACT_REDIRECT; }
TC int by_length(struct __sk_buff *skb) { return skb->len > 99 ? TC_ACT_SHOT : TC_ACT_OK; }
TC int from_mark(struct __sk_buff *skb) { return skb->mark; }

TC int marks(struct __sk_buff *skb) { skb->mark = 7; return TC_ACT_OK; }
TC int prioritises(struct __sk_buff *skb) { skb->priority = 7; return TC_ACT_OK; }
TC int notes(struct __sk_buff *skb) { skb->cb[1] += 7; return TC_ACT_OK; }
TC int classifies(struct __sk_buff *skb) { skb->tc_classid = 7; return TC_ACT_OK; }
static __noinline void mark_below(struct __sk_buff *skb) { skb->mark = 9; }
TC int marks_below(struct __sk_buff *skb) { mark_below(skb); return TC_ACT_OK; }
TC int stamps(struct __sk_buff *skb) { skb->tstamp = 9; return TC_ACT_OK; }
TC int hashes(struct __sk_buff *skb) { bpf_set_hash(skb, 1); return TC_ACT_OK; }
TC int changes_type(struct __sk_buff *skb) { bpf_skb_change_type(skb, 0); return TC_ACT_OK; }

TC int reads_fields(struct __sk_buff *skb)
{
	total += skb->mark + skb->protocol + skb->vlan_tci + skb->tstamp + skb->wire_len;
	return TC_ACT_OK;
}

TC int writes(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data;

	if (data + 1 > (__u8 *)(long)skb->data_end)
		return TC_ACT_OK;
	*data = 1;
	return TC_ACT_OK;
}

TC int reads(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data;

	if (data + 1 > (__u8 *)(long)skb->data_end)
		return TC_ACT_OK;
	total += *data;
	return TC_ACT_OK;
}

TC int pulls_and_reads(struct __sk_buff *skb)
{
	__u8 bytes[4] = {};

	bpf_skb_pull_data(skb, 64);
	bpf_skb_load_bytes(skb, 4, bytes, 4);
	total += bytes[2];
	return TC_ACT_OK;
}

TC int legacy(struct __sk_buff *skb) { total += load_byte(skb, 12); return TC_ACT_OK; }
TC int legacy_or_shot(struct __sk_buff *skb) { return load_byte(skb, 12) == 8 ? TC_ACT_OK : TC_ACT_SHOT; }

TC int stores(struct __sk_buff *skb) { __u8 byte = 1; bpf_skb_store_bytes(skb, 1, &byte, 1, 0); return TC_ACT_OK; }
TC int sums_3(struct __sk_buff *skb) { bpf_l3_csum_replace(skb, 24, 1, 2, 2); return TC_ACT_OK; }
TC int sums_4(struct __sk_buff *skb) { bpf_l4_csum_replace(skb, 24, 1, 2, 2); return TC_ACT_OK; }
TC int tags(struct __sk_buff *skb) { bpf_skb_vlan_push(skb, 129, 1); return TC_ACT_OK; }
TC int changes_head(struct __sk_buff *skb) { bpf_skb_change_head(skb, 14, 0); return TC_ACT_OK; }
TC int changes_tail(struct __sk_buff *skb) { bpf_skb_change_tail(skb, 64, 0); return TC_ACT_OK; }
TC int changes_protocol(struct __sk_buff *skb) { bpf_skb_change_proto(skb, 8, 0); return TC_ACT_OK; }
TC int makes_room(struct __sk_buff *skb) { bpf_skb_adjust_room(skb, 8, 0, 0); return TC_ACT_OK; }
TC int tunnels(struct __sk_buff *skb) { struct bpf_tunnel_key key = {}; bpf_skb_set_tunnel_key(skb, &key, sizeof(key), 0); return TC_ACT_OK; }

TC int clones(struct __sk_buff *skb) { bpf_clone_redirect(skb, 2, 0); return TC_ACT_OK; }
TC int to_interface(struct __sk_buff *skb) { return bpf_redirect(2, 0); }
TC int to_peer(struct __sk_buff *skb) { return bpf_redirect_peer(2, 0); }
TC int to_neighbour(struct __sk_buff *skb) { return bpf_redirect_neigh(2, NULL, 0, 0); }
TC int sees_socket(struct __sk_buff *skb) { struct bpf_sock *socket = skb->sk; if (socket) total += socket->mark; return TC_ACT_OK; }
TC int asks_owner(struct __sk_buff *skb) { total += bpf_get_socket_uid(skb); return TC_ACT_OK; }

char LICENSE[] SEC("license") = "GPL";
