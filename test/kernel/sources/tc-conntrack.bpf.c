/* On TC, asks the connection tracking of the kernel, a module, about ports 80 to 83. */
#include "tc-program.h"
#include "conntrack.h"

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_bytes,
				  struct bpf_ct_opts *options, __u32 options_bytes) __ksym;

SEC(SECTION)
int tc_conntrack(struct __sk_buff *ctx)
{
	struct bpf_sock_tuple tuple;
	struct bpf_ct_opts options;
	struct nf_conn *found;

	connection_to(&tuple, &options, 80 + (byte_at(ctx, 17) & 3));
	found = bpf_skb_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &options, sizeof(options));
	if (!found)
		return options.error == -2 ? TC_ACT_OK : TC_ACT_UNSPEC; /* ENOENT */
	bpf_ct_release(found);
	ctx->mark += 7;
	return TC_ACT_SHOT;
}
