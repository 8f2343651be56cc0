/* Throws: the kernel unwinds to the main function's caller, so that nothing after it runs. It cannot be chained. */
#include "program.h"

extern void bpf_throw(__u64 cookie) __ksym;

static __noinline int check(struct xdp_md *ctx)
{
	volatile __u32 byte = byte_at(ctx, 17);

	if (byte & 1)
		bpf_throw(XDP_DROP);
	return byte;
}

SEC(SECTION)
int throws(struct xdp_md *ctx)
{
	return check(ctx) & 2 ? XDP_TX : XDP_PASS;
}
