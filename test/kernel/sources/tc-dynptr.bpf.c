/* A dynamic pointer to the packet: read as a slice, written through, and moved. */
#include "tc-program.h"

extern int bpf_dynptr_from_skb(struct __sk_buff *s, __u64 flags, struct bpf_dynptr *ptr__uninit) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt, __u32 buffer__szk) __ksym;
extern int bpf_dynptr_adjust(const struct bpf_dynptr *p, __u32 start, __u32 end) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;

SEC(SECTION)
int tc_dynptr(struct __sk_buff *ctx)
{
	struct bpf_dynptr packet;
	__u8 buffer[4], *slice, turned;

	if (bpf_dynptr_from_skb(ctx, 0, &packet))
		return TC_ACT_SHOT;
	if (bpf_dynptr_adjust(&packet, 14, bpf_dynptr_size(&packet)))
		return TC_ACT_OK;
	slice = bpf_dynptr_slice(&packet, 8, buffer, sizeof(buffer));
	if (!slice)
		return TC_ACT_OK;
	turned = slice[1] + slice[0] * 3;
	bpf_dynptr_write(&packet, 4, &turned, sizeof(turned), 0);
	return turned % 4 == 1 ? TC_ACT_SHOT : TC_ACT_OK;
}
