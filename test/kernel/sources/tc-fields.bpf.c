/* Writes every field of the context that a classifier may, each from what it held before and from the packet. */
#include "tc-program.h"

SEC(SECTION)
int tc_fields(struct __sk_buff *ctx)
{
	__u8 byte = byte_at(ctx, 17);

	ctx->mark = ctx->mark * 3 + byte;
	ctx->priority = ctx->priority + (byte & 7) + 1;
	ctx->tc_index = ctx->tc_index + byte;
	ctx->cb[0] = ctx->cb[0] + 1;
	ctx->cb[1] = ctx->mark ^ ctx->tc_index;
	ctx->cb[2] = ctx->cb[2] * 5 + ctx->len;
	ctx->cb[3] = ctx->protocol;
	ctx->cb[4] = ctx->cb[0] + ctx->cb[2];
	ctx->queue_mapping = byte & 3;
	ctx->tc_classid = byte;
	return ctx->mark % 5 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
