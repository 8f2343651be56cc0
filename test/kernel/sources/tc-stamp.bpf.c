/* Reads the packet's time stamp but not its type: the kernel then hides stamps that are times of delivery. */
#include "tc-program.h"

SEC(SECTION)
int tc_stamp(struct __sk_buff *ctx)
{
	ctx->cb[3] += ctx->tstamp ? 1 : 2;
	return ctx->tstamp > 5 && byte_at(ctx, 17) & 1 ? TC_ACT_SHOT : TC_ACT_OK;
}
