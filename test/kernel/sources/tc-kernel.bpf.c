/* Kernel functions on TC: the kernel's own packet buffer read through CO-RE offsets, and a cast to a type by its id. */
#include "tc-program.h"
#include <bpf/bpf_core_read.h>

struct net_device {
	unsigned int mtu;
} __attribute__((preserve_access_index));

struct sk_buff {
	unsigned int len;
	unsigned int data_len;
	struct net_device *dev;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *obj) __ksym;
extern void *bpf_rdonly_cast(const void *obj__ign, __u32 btf_id__k) __ksym;

SEC(SECTION)
int tc_kernel(struct __sk_buff *ctx)
{
	struct sk_buff *skb = bpf_cast_to_kern_ctx(ctx), *again;
	struct net_device *device = skb->dev;

	again = bpf_rdonly_cast(skb, bpf_core_type_id_kernel(struct sk_buff));
	if (skb->len != ctx->len || again->data_len > again->len)
		return TC_ACT_TRAP;
	ctx->mark += again->len + (device && device->mtu ? 1 : 0);
	return skb->len % 3 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
