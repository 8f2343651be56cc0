// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Ways to come by a verdict, without a helper or map: any level of optimisation compiles it.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef XDP
#define XDP SEC("xdp")
#endif

const volatile __u32 configured = XDP_PASS;
__u32 kept = XDP_PASS;

static __always_inline __u8 byte_at(struct xdp_md *ctx, __u32 at)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	return data + at + 1 > end ? 0 : data[at];
}

XDP int passes(struct xdp_md *ctx) { return XDP_PASS; }
XDP int drops(struct xdp_md *ctx) { return XDP_DROP; }
XDP int aborts(struct xdp_md *ctx) { return XDP_ABORTED; }
XDP int transmits(struct xdp_md *ctx) { return XDP_TX; }
XDP int redirects(struct xdp_md *ctx) { return XDP_REDIRECT; }
XDP int has_no_name(struct xdp_md *ctx) { return 77; }
XDP int has_no_sign(struct xdp_md *ctx) { return -1; }
XDP int reads_and_passes(struct xdp_md *ctx) { return byte_at(ctx, 12) == 8 ? XDP_PASS : 2; }
XDP int chooses(struct xdp_md *ctx) { return byte_at(ctx, 23) == 17 ? XDP_DROP : XDP_PASS; }

XDP int several_returns(struct xdp_md *ctx)
{
	if (byte_at(ctx, 0) & 1)
		return XDP_PASS;
	if (byte_at(ctx, 1) == 3)
		return XDP_TX;
	if (byte_at(ctx, 2) == 4)
		return XDP_DROP;
	return XDP_PASS;
}

XDP int switches(struct xdp_md *ctx)
{
	switch (byte_at(ctx, 23)) {
	case 1:
		return XDP_PASS;
	case 6:
		return XDP_TX;
	case 17:
		return XDP_PASS;
	case 47:
		return XDP_REDIRECT;
	default:
		return XDP_PASS;
	}
}

/* A compiler may make a table of it. */
XDP int switches_densely(struct xdp_md *ctx)
{
	switch (byte_at(ctx, 23)) {
	case 0: return XDP_PASS;
	case 1: return XDP_DROP;
	case 2: return XDP_TX;
	case 3: return XDP_PASS;
	case 4: return XDP_DROP;
	case 5: return XDP_PASS;
	case 6: return XDP_TX;
	default: return XDP_PASS;
	}
}

XDP int computes(struct xdp_md *ctx) { return (byte_at(ctx, 5) & 1) + XDP_DROP; }
XDP int from_packet(struct xdp_md *ctx) { return byte_at(ctx, 0); }
XDP int from_config(struct xdp_md *ctx) { return configured; }
XDP int from_data(struct xdp_md *ctx) { return kept; }
XDP int from_context(struct xdp_md *ctx) { return ctx->rx_queue_index; }

static __noinline int judge(struct xdp_md *ctx)
{
	return byte_at(ctx, 3) == 9 ? XDP_TX : XDP_PASS;
}

__noinline int judge_globally(struct xdp_md *ctx)
{
	return byte_at(ctx, 4) == 9 ? XDP_DROP : XDP_PASS;
}

XDP int by_subprogram(struct xdp_md *ctx) { return judge(ctx); }
XDP int by_global_function(struct xdp_md *ctx) { return judge_globally(ctx); }
XDP int by_both(struct xdp_md *ctx) { return judge(ctx) == XDP_PASS ? judge_globally(ctx) : XDP_PASS; }

static __noinline int checks(struct xdp_md *ctx)
{
	return byte_at(ctx, 6) == 9 ? XDP_PASS : 0;
}

/* What a subprogram gives is a verdict only where it is not 0. */
XDP int passes_if_set(struct xdp_md *ctx)
{
	int verdict = checks(ctx);

	return verdict ? verdict : XDP_PASS;
}

static __noinline void decide(struct xdp_md *ctx, int *verdict)
{
	*verdict = byte_at(ctx, 7) == 9 ? XDP_DROP : XDP_PASS;
}

XDP int by_pointer(struct xdp_md *ctx)
{
	int verdict = XDP_PASS;

	decide(ctx, &verdict);
	return verdict;
}

XDP int spilled(struct xdp_md *ctx)
{
	volatile int verdict = XDP_PASS;

	if (byte_at(ctx, 8) == 9)
		verdict = XDP_TX;
	return verdict;
}

XDP int spilled_partly(struct xdp_md *ctx)
{
	volatile __u64 verdict = XDP_PASS;

	*(volatile __u8 *)&verdict = byte_at(ctx, 8);
	return verdict;
}

/* What an earlier program left on the stack. */
XDP int uninitialised(struct xdp_md *ctx)
{
	__u64 verdict;

	asm volatile("%0 = *(u64 *)(r10 - 488)" : "=r"(verdict));
	return verdict;
}

XDP int initialised_one_way(struct xdp_md *ctx)
{
	__u64 verdict;

	if (byte_at(ctx, 8) == 9)
		asm volatile("r1 = 2; *(u64 *)(r10 - 488) = r1" ::: "r1", "memory");
	asm volatile("%0 = *(u64 *)(r10 - 488)" : "=r"(verdict) :: "memory");
	return verdict;
}

XDP int never_reached(struct xdp_md *ctx)
{
	if (byte_at(ctx, 9) > 255)
		return XDP_DROP;
	return XDP_PASS;
}

static __noinline __u32 twice(__u32 number) { return number * 2; }

XDP int counts_to_it(struct xdp_md *ctx)
{
	__u32 verdict = 0;

	for (int i = 0; i < 3; i++)
		verdict += twice(verdict) + 1;
	return verdict & 3;
}

char LICENSE[] SEC("license") = "GPL";
