/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Lets everything pass: what is measured is the chain alone. */
static __always_inline int NAME(body)(struct xdp_md *ctx)
{
	int verdict = XDP_PASS;

	asm volatile("" : "+r"(verdict)); /* or the compiler would fold it into a caller */
	return verdict;
}
