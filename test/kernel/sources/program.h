/* What the test programs share. Each is an XDP program whose verdict depends on the packet, so that chains of them vary. */
#ifndef HOOKLINE_TEST_PROGRAM_H
#define HOOKLINE_TEST_PROGRAM_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <bpf/bpf_helpers.h>

#ifndef SECTION
#define SECTION "xdp"
#endif

char LICENSE[] SEC("license") = "GPL";

static __always_inline void *data_of(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *end_of(struct xdp_md *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* A byte of the packet, or 0 behind its end. `at` is a constant. */
static __always_inline __u8 byte_at(struct xdp_md *ctx, __u32 at)
{
	__u8 *data = data_of(ctx);

	return data + at + 1 > (__u8 *)end_of(ctx) ? 0 : data[at];
}

#endif
