/* CO-RE without kernel functions: offsets, sizes, existence and enumeration values of the running kernel's types. */
#include "program.h"
#include <bpf/bpf_core_read.h>

struct iphdr {
	__u8 ttl;
	__u8 protocol;
} __attribute__((preserve_access_index));

struct sk_buff___own {
	unsigned int len;
	void *no_such_field;
} __attribute__((preserve_access_index));

enum xdp_action___own { XDP_TX___own = 77 };

SEC(SECTION)
int core(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);
	struct iphdr *header = (void *)(data + 14);

	if (byte_at(ctx, 12) != 0x08 || data + 14 + 20 > (__u8 *)end_of(ctx))
		return XDP_PASS;
	if (bpf_core_field_exists(struct sk_buff___own, no_such_field) || bpf_core_type_size(struct sk_buff___own) < 100)
		return XDP_ABORTED;
	if (header->protocol == 17) /* at the kernel's offset of the field, 9 */
		return bpf_core_enum_value(enum xdp_action___own, XDP_TX___own);
	return header->ttl == 64 && bpf_core_field_offset(struct iphdr, protocol) == 9 ? XDP_PASS : XDP_DROP;
}
