/* Asks the connection tracking of the kernel, a module, about ports 80 to 83, and can make a connection known to it. */
#include "program.h"
#include "conntrack.h"

struct nf_conn___init {
	struct nf_conn ct;
} __attribute__((preserve_access_index));

struct nf_conn *bpf_xdp_ct_lookup(struct xdp_md *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_bytes,
				  struct bpf_ct_opts *options, __u32 options_bytes) __ksym;
struct nf_conn___init *bpf_xdp_ct_alloc(struct xdp_md *ctx, struct bpf_sock_tuple *tuple, __u32 tuple_bytes,
					struct bpf_ct_opts *options, __u32 options_bytes) __ksym;
void bpf_ct_set_timeout(struct nf_conn___init *connection, __u32 timeout_ms) __ksym;
struct nf_conn *bpf_ct_insert_entry(struct nf_conn___init *connection) __ksym;

__u64 known, unknown;

SEC(SECTION)
int conntrack(struct xdp_md *ctx)
{
	struct bpf_sock_tuple tuple;
	struct bpf_ct_opts options;
	struct nf_conn *found;

	connection_to(&tuple, &options, 80 + (byte_at(ctx, 17) & 3));
	found = bpf_xdp_ct_lookup(ctx, &tuple, sizeof(tuple.ipv4), &options, sizeof(options));
	if (!found) {
		unknown++;
		return options.error == -2 ? XDP_PASS : XDP_ABORTED; /* ENOENT */
	}
	known++;
	bpf_ct_release(found);
	return XDP_DROP;
}

SEC(SECTION)
int conntrack_insert(struct xdp_md *ctx)
{
	struct bpf_sock_tuple tuple;
	struct bpf_ct_opts options;
	struct nf_conn___init *made;
	struct nf_conn *kept;

	connection_to(&tuple, &options, 80 + (byte_at(ctx, 17) & 3));
	made = bpf_xdp_ct_alloc(ctx, &tuple, sizeof(tuple.ipv4), &options, sizeof(options));
	if (!made)
		return XDP_ABORTED;
	bpf_ct_set_timeout(made, 3600 * 1000);
	kept = bpf_ct_insert_entry(made);
	if (!kept)
		return XDP_ABORTED;
	bpf_ct_release(kept);
	return XDP_PASS;
}
