/* Verdicts that are none: large, negative, and with bits only above the 32 that count. */
#include "program.h"

SEC(SECTION)
int strange(struct xdp_md *ctx)
{
	switch (byte_at(ctx, 23)) {
	case 17:
		return -1;
	case 1:
		return 5;
	case 2:
		return 0x7fffffff;
	case 47:
		return 258; /* XDP_PASS in its low byte */
	case 6:
		asm volatile("r0 = 2 ll\n r1 = 1\n r1 <<= 32\n r0 |= r1\n exit" ::: "r0", "r1"); /* 64-bit, passes */
	}
	return XDP_PASS;
}
