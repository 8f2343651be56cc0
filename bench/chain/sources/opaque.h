/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * Lets everything pass that is shorter than 2 GiB. The kernel's verifier cannot know the verdict, and so cannot remove what
 * a chain decides by it, as it does behind a program that returns a constant.
 */
static __always_inline int NAME(body)(struct xdp_md *ctx)
{
	__u32 bytes = ctx->data_end - ctx->data;

	asm volatile("" : "+r"(bytes));
	return XDP_PASS - (bytes >> 31);
}
