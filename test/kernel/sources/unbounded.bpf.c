/* Refused by the verifier: reads the packet without looking where it ends. */
#include "program.h"

SEC(SECTION)
int unbounded(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);

	return data[3];
}
