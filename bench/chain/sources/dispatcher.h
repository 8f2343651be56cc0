/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * A dispatcher in the shape of libxdp's: a main function calls one function for each program and goes on when the program's
 * mask of actions has the bit of its verdict. libxdp puts the programs in the place of these functions when they are
 * attached (BPF_PROG_TYPE_EXT), where each costs one more jump; here they are compiled in. It counts nothing.
 */
struct dispatcher_config {
	__u8 programs;
	__u32 chain_call_actions[MEMBERS];
};

const volatile struct dispatcher_config config = {
	.programs = MEMBERS,
	.chain_call_actions = { [0 ... MEMBERS - 1] = 1U << XDP_PASS },
};

/* The context is used, or the compiler would not hand it over. */
#define MEMBER(at)                                     \
	__noinline int member_##at(struct xdp_md *ctx) \
	{                                              \
		asm volatile("" : : "r"(ctx));         \
		return body_##at(ctx);                 \
	}

#define CALL(at)                                                \
	if (config.programs < (at) + 1)                         \
		return XDP_PASS;                                \
	verdict = member_##at(ctx);                             \
	if (!((1U << verdict) & config.chain_call_actions[at])) \
		return verdict;
