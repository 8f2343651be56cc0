/* Kernel functions that give typed pointers: the kernel's own context of the packet, read through CO-RE offsets. */
#include "program.h"

struct xdp_buff {
	void *data;
	void *data_end;
	void *data_hard_start;
} __attribute__((preserve_access_index));

extern void *bpf_cast_to_kern_ctx(void *obj) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;

SEC(SECTION)
int kernel_context(struct xdp_md *ctx)
{
	struct xdp_buff *buff = bpf_cast_to_kern_ctx(ctx);
	__u64 size, headroom;

	bpf_rcu_read_lock();
	size = buff->data_end - buff->data;
	headroom = buff->data - buff->data_hard_start;
	bpf_rcu_read_unlock();
	if (size != ctx->data_end - ctx->data)
		return XDP_ABORTED;
	return (size + headroom) % 5 == 0 ? XDP_DROP : XDP_PASS;
}
