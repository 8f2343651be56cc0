/* What the test programs for TC share; like program.h for XDP. */
#ifndef HOOKLINE_TEST_TC_PROGRAM_H
#define HOOKLINE_TEST_TC_PROGRAM_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <stdbool.h>
#include <stddef.h>
#include <bpf/bpf_helpers.h>

#ifndef SECTION
#define SECTION "tc"
#endif

char LICENSE[] SEC("license") = "GPL";

static __always_inline void *data_of(struct __sk_buff *ctx)
{
	return (void *)(long)ctx->data;
}

static __always_inline void *end_of(struct __sk_buff *ctx)
{
	return (void *)(long)ctx->data_end;
}

/* A byte of the packet's linear part, or 0 behind its end. `at` is a constant. */
static __always_inline __u8 byte_at(struct __sk_buff *ctx, __u32 at)
{
	__u8 *data = data_of(ctx);

	return data + at + 1 > (__u8 *)end_of(ctx) ? 0 : data[at];
}

#endif
