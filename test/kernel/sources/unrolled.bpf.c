/* About two thousand instructions in a row, without a loop. */
#include "program.h"

#define ROUND(at) sum = (sum ^ data[(at) % 54]) * 16777619; asm volatile("" : "+r"(sum)); sum ^= sum >> 13;
#define EIGHT(at) ROUND(at) ROUND(at + 1) ROUND(at + 2) ROUND(at + 3) ROUND(at + 4) ROUND(at + 5) ROUND(at + 6) ROUND(at + 7)
#define SIXTY_FOUR(at)                                                                                                 \
	EIGHT(at) EIGHT(at + 8) EIGHT(at + 16) EIGHT(at + 24) EIGHT(at + 32) EIGHT(at + 40) EIGHT(at + 48) EIGHT(at + 56)

SEC(SECTION)
int unrolled(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);
	__u64 sum = 14695981039346656037ULL;

	if (data + 54 > (__u8 *)end_of(ctx))
		return XDP_PASS;
	SIXTY_FOUR(0)
	SIXTY_FOUR(11)
	SIXTY_FOUR(23)
	SIXTY_FOUR(29)
	SIXTY_FOUR(41)
	return sum % 9 == 0 ? XDP_ABORTED : XDP_PASS;
}
