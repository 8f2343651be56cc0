/* Returns the packet's first byte, so also what is no verdict; 255 stands for all 32 bits. */
#include "program.h"

SEC(SECTION)
int verdict(struct xdp_md *ctx)
{
	__u8 first = byte_at(ctx, 0);

	return first == 255 ? -1 : first;
}
