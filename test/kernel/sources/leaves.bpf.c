/* A hundred and twenty-eight exits in the main function and some in the middle of a subprogram. */
#include "program.h"

#define LEAVE(n, verdict)                                                                                              \
	asm volatile("if %[sum] != %[value] goto +2\n r0 = %[v]\n exit" ::[sum] "r"(sum), [value] "i"(n),               \
		     [v] "i"(verdict)                                                                                  \
		     : "r0");
#define FOUR(n) LEAVE(n, 2) LEAVE(n + 1, 1) LEAVE(n + 2, 2) LEAVE(n + 3, 3)
#define SIXTEEN(n) FOUR(n) FOUR(n + 4) FOUR(n + 8) FOUR(n + 12)

static __noinline int half(__u64 sum)
{
	SIXTEEN(0)
	return sum >> 1;
}

SEC(SECTION)
int leaves(struct xdp_md *ctx)
{
	__u64 sum = byte_at(ctx, 17) + half(byte_at(ctx, 23));

	SIXTEEN(0) SIXTEEN(16) SIXTEEN(32) SIXTEEN(48)
	SIXTEEN(64) SIXTEEN(80) SIXTEEN(96) SIXTEEN(112)
	return XDP_PASS;
}
