/* Atomic operations that give back the old value, 32-bit jumps and arithmetic (instruction set v3). */
#include "program.h"

__u64 added;
__u32 toggled;
__u64 exchanged = 3;

SEC(SECTION)
int atomics(struct xdp_md *ctx)
{
	__u32 byte = byte_at(ctx, 17);
	__u64 before = __sync_fetch_and_add(&added, byte);
	__u32 old = __sync_fetch_and_xor(&toggled, byte << 3);

	if (__sync_val_compare_and_swap(&exchanged, before & 7, byte) == (before & 7))
		return XDP_TX;
	return (int)(old - byte) < 0 ? XDP_DROP : XDP_PASS;
}
