/* Writes the fields of the context that outlast a test run, each from what it held before and from the packet. */
#include "tc-program.h"

SEC(SECTION)
int tc_fields(struct __sk_buff *ctx)
{
	__u8 byte = byte_at(ctx, 17);

	ctx->mark = ctx->mark * 3 + byte;
	ctx->priority = ctx->priority + (byte & 7) + 1;
	ctx->cb[0] = ctx->cb[0] + 1;
	ctx->cb[1] = ctx->mark ^ byte;
	ctx->cb[2] = ctx->cb[2] * 5 + ctx->len;
	ctx->cb[3] = ctx->protocol;
	ctx->cb[4] = ctx->cb[0] + ctx->cb[2];
	return ctx->mark % 5 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
