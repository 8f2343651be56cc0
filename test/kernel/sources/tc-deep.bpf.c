/* About 400 bytes of stack in the main function, all written and read. */
#include "tc-program.h"

#define WORDS 50

SEC(SECTION)
int tc_deep(struct __sk_buff *ctx)
{
	volatile __u64 kept[WORDS];
	__u64 first = byte_at(ctx, 23), sum = 0;

#pragma clang loop unroll(disable)
	for (int at = 0; at < WORDS; at++)
		kept[at] = first * at + at;
#pragma clang loop unroll(disable)
	for (int at = WORDS - 1; at >= 0; at--)
		sum = sum * 7 + kept[at];
	ctx->cb[0] += sum;
	return sum % 5 == 0 ? TC_ACT_QUEUED : TC_ACT_OK;
}
