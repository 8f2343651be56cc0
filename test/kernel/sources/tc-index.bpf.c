/* Reads and writes fields of the context that no test run shows: what it does appears in the mark and the verdict. */
#include "tc-program.h"

SEC(SECTION)
int tc_index(struct __sk_buff *ctx)
{
	__u8 byte = byte_at(ctx, 17);

	ctx->tc_index = ctx->tc_index * 3 + byte;
	ctx->queue_mapping = (byte & 3) + 1;
	ctx->tc_classid = byte + ctx->tc_index;
	ctx->mark += ctx->tc_index + ctx->tc_classid + ctx->queue_mapping;
	return ctx->tc_index % 5 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
