/* Exits in the middle, where a compiler would put but one at the end. */
#include "program.h"

#define LEAVE_IF(at, equals, verdict)                                                                                  \
	asm volatile("if %[byte] != %[value] goto +2\n r0 = %[v]\n exit" ::[byte] "r"((__u64)byte_at(ctx, at)),        \
		     [value] "i"(equals), [v] "i"(verdict)                                                             \
		     : "r0")

SEC(SECTION)
int exits(struct xdp_md *ctx)
{
	LEAVE_IF(0, 3, XDP_DROP);
	LEAVE_IF(1, 15, XDP_TX);
	LEAVE_IF(11, 33, XDP_ABORTED);
	LEAVE_IF(12, 0x81, 9);
	LEAVE_IF(14, 0x46, XDP_REDIRECT);
	LEAVE_IF(23, 17, XDP_PASS);
	LEAVE_IF(23, 1, XDP_TX);
	LEAVE_IF(21, 64, XDP_DROP);
	LEAVE_IF(28, 7, XDP_PASS);
	LEAVE_IF(13, 6, -1);
	return XDP_PASS;
}
