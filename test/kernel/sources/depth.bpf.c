/* Uses exactly MAIN bytes of stack, and SUB bytes in a subprogram when that is not 0. */
#include "program.h"

#ifndef MAIN
#define MAIN 8
#endif
#ifndef SUB
#define SUB 0
#endif

#define TOUCH(depth) asm volatile("r3 = 0\n *(u64 *)(r10 - %[at]) = r3" ::[at] "i"(depth) : "r3", "memory")

#if SUB
static __noinline int deeper(struct xdp_md *ctx)
{
	TOUCH(SUB);
	return byte_at(ctx, 0) == 1 ? XDP_DROP : XDP_PASS;
}
#endif

SEC(SECTION)
int depth(struct xdp_md *ctx)
{
	TOUCH(MAIN);
#if SUB
	return deeper(ctx);
#else
	return byte_at(ctx, 0) == 1 ? XDP_DROP : XDP_PASS;
#endif
}
