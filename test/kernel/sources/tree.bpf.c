/*
 * Objects that the program allocates, their type named by its id in the object's own BTF, put into a red-black tree by a
 * kernel function that takes a callback. The tree is empty after each packet: what it held would be addresses.
 */
#include "program.h"
#include <bpf/bpf_core_read.h>

struct bpf_rb_root {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_rb_node {
	__u64 opaque[4];
} __attribute__((aligned(8)));

typedef bool(before)(struct bpf_rb_node *a, const struct bpf_rb_node *b);

extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;
extern int bpf_rbtree_add_impl(struct bpf_rb_root *root, struct bpf_rb_node *node, before *less, void *meta__ign,
			       __u64 off) __ksym;
extern struct bpf_rb_node *bpf_rbtree_first(struct bpf_rb_root *root) __ksym;
extern struct bpf_rb_node *bpf_rbtree_remove(struct bpf_rb_root *root, struct bpf_rb_node *node) __ksym;

struct leaf {
	struct bpf_rb_node node;
	__u32 byte;
};

struct kept {
	struct bpf_spin_lock lock;
	struct bpf_rb_root root __attribute__((btf_decl_tag("contains:leaf:node")));
	__u32 sum;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} trees SEC(".maps");

static bool is_less(struct bpf_rb_node *a, const struct bpf_rb_node *b)
{
	return ((struct leaf *)a)->byte < ((const struct leaf *)b)->byte;
}

/* Puts a number through the tree. The kernel may have no memory at hand, which must not show. */
static __always_inline __u32 through_tree(struct kept *kept, __u32 byte)
{
	struct leaf *leaf = bpf_obj_new_impl(bpf_core_type_id_local(struct leaf), NULL);
	struct bpf_rb_node *least;

	if (!leaf)
		return byte;
	leaf->byte = byte;
	bpf_spin_lock(&kept->lock);
	bpf_rbtree_add_impl(&kept->root, &leaf->node, is_less, NULL, 0);
	least = bpf_rbtree_first(&kept->root);
	if (least)
		least = bpf_rbtree_remove(&kept->root, least);
	bpf_spin_unlock(&kept->lock);
	if (!least)
		return 0;
	leaf = (struct leaf *)least; /* the node is its first member */
	byte = leaf->byte;
	bpf_obj_drop_impl(leaf, NULL);
	return byte;
}

SEC(SECTION)
int tree(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct kept *kept = bpf_map_lookup_elem(&trees, &zero);

	if (!kept)
		return XDP_ABORTED;
	kept->sum += through_tree(kept, byte_at(ctx, 17));
	return kept->sum % 4 == 1 ? XDP_DROP : XDP_PASS;
}
