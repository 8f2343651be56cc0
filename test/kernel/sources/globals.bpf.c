/* Variables in .rodata, .data, .bss and a section of its own. */
#include "program.h"

const volatile __u32 cfg_every = 3;
__u64 started = 1000;	       /* .data */
__u64 packets;		       /* .bss */
__u64 marked SEC(".data.marked") = 5;

SEC(SECTION)
int globals(struct xdp_md *ctx)
{
	packets += 1;
	started += byte_at(ctx, 20);
	if (byte_at(ctx, 12) == 0x86)
		marked += 2;
	return cfg_every && packets % cfg_every == 0 ? XDP_DROP : XDP_PASS;
}
