// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* A program that knows nothing of chains. BODY is the header with what it does. */
#include "program.h"
#define ID 0
#include BODY

SEC("xdp")
int plain(struct xdp_md *ctx)
{
	return body_0(ctx);
}
