/* Variables in sections of the program's own naming: constants, initialised data, and a table indexed by the packet. */
#include "program.h"

const volatile __u8 weights[16] SEC(".rodata.weights") = { 3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9, 7, 9, 3 };
const volatile __u32 cfg_modulus = 7;
__u64 hot_packets SEC(".data.hot") = 1;
__u64 hot_sum SEC(".data.hot");
static volatile __u64 cold;

SEC(SECTION)
int sections(struct xdp_md *ctx)
{
	hot_packets += 1;
	hot_sum += weights[byte_at(ctx, 17) & 15] * hot_packets;
	if (byte_at(ctx, 12) != 0x08)
		cold += 1;
	return cfg_modulus && (hot_sum + cold) % cfg_modulus == 0 ? XDP_DROP : XDP_PASS;
}
