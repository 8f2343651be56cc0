/* Objects that the program allocates (their type named by its id in the object's own BTF) and keeps in a linked list. */
#include "program.h"
#include <bpf/bpf_core_read.h>

struct bpf_list_head {
	__u64 opaque[2];
} __attribute__((aligned(8)));

struct bpf_list_node {
	__u64 opaque[3];
} __attribute__((aligned(8)));

extern void *bpf_obj_new_impl(__u64 local_type_id__k, void *meta__ign) __ksym;
extern void bpf_obj_drop_impl(void *p__alloc, void *meta__ign) __ksym;
extern int bpf_list_push_back_impl(struct bpf_list_head *head, struct bpf_list_node *node, void *meta__ign,
				   __u64 off) __ksym;
extern struct bpf_list_node *bpf_list_pop_front(struct bpf_list_head *head) __ksym;

struct seen {
	struct bpf_list_node node;
	__u32 byte;
};

struct kept {
	struct bpf_spin_lock lock;
	struct bpf_list_head head __attribute__((btf_decl_tag("contains:seen:node")));
	__u32 length;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct kept);
} lists SEC(".maps");

SEC(SECTION)
int nodes(struct xdp_md *ctx)
{
	__u32 zero = 0, byte = byte_at(ctx, 17), first = 0;
	struct kept *kept = bpf_map_lookup_elem(&lists, &zero);
	struct bpf_list_node *oldest = NULL;
	struct seen *seen;

	if (!kept)
		return XDP_ABORTED;
	seen = bpf_obj_new_impl(bpf_core_type_id_local(struct seen), NULL);
	if (!seen)
		return XDP_ABORTED;
	seen->byte = byte;
	bpf_spin_lock(&kept->lock);
	bpf_list_push_back_impl(&kept->head, &seen->node, NULL, 0);
	if (++kept->length > 5) {
		oldest = bpf_list_pop_front(&kept->head);
		kept->length -= 1;
	}
	bpf_spin_unlock(&kept->lock);
	if (!oldest)
		return XDP_PASS;
	seen = (struct seen *)((void *)oldest - __builtin_offsetof(struct seen, node));
	first = seen->byte;
	bpf_obj_drop_impl(seen, NULL);
	return (first + byte) % 4 == 0 ? XDP_DROP : XDP_PASS;
}
