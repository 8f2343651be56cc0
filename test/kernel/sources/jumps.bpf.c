/* Many branches: a switch of 64 cases that differ, twice, and jumps between them. */
#include "program.h"

#define CASE(n)                                                                                                        \
	case n:                                                                                                        \
		asm volatile("%[sum] += %[by]" : [sum] "+r"(sum) : [by] "i"((n) * 7 + 1));                              \
		break;
#define FALL(n)                                                                                                        \
	case n:                                                                                                        \
		asm volatile("%[sum] ^= %[by]" : [sum] "+r"(sum) : [by] "i"((n) + 3));
#define EIGHT(of, n) of(n) of(n + 1) of(n + 2) of(n + 3) of(n + 4) of(n + 5) of(n + 6) of(n + 7)

SEC(SECTION)
int jumps(struct xdp_md *ctx)
{
	__u64 sum = byte_at(ctx, 12);

	switch (byte_at(ctx, 23) & 63) {
		EIGHT(CASE, 0) EIGHT(CASE, 8) EIGHT(CASE, 16) EIGHT(CASE, 24)
		EIGHT(CASE, 32) EIGHT(CASE, 40) EIGHT(CASE, 48) EIGHT(CASE, 56)
	}
	switch (byte_at(ctx, 17) & 31) {
		EIGHT(FALL, 0) EIGHT(FALL, 8)
		break;
		EIGHT(FALL, 16)
		return XDP_TX;
		EIGHT(FALL, 24)
	}
	return sum & 2 ? XDP_DROP : XDP_PASS;
}
