/* Returns each TC verdict, and numbers that are none; TC_ACT_UNSPEC is -1, which TCX calls next. */
#include "tc-program.h"

SEC(SECTION)
int tc_verdicts(struct __sk_buff *ctx)
{
	__u8 first = byte_at(ctx, 0);

	return first == 255 ? TC_ACT_UNSPEC : first == 254 ? 0x10000007 : first;
}
