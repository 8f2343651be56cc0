/* Rewrites an IPv4 destination and mends the header's checksum by bpf_csum_diff. */
#include "program.h"

SEC(SECTION)
int checksum(struct xdp_md *ctx)
{
	__u8 *data = data_of(ctx);
	__u32 old, fresh;
	__u16 *sum;
	__s64 difference;

	if (byte_at(ctx, 12) != 0x08 || byte_at(ctx, 13) != 0 || data + 34 > (__u8 *)end_of(ctx))
		return XDP_PASS;
	__builtin_memcpy(&old, data + 30, sizeof(old));
	fresh = old ^ 0x01020304;
	sum = (__u16 *)(data + 24);
	difference = bpf_csum_diff(&old, sizeof(old), &fresh, sizeof(fresh), (__u16)~*sum);
	difference = (difference & 0xffff) + (difference >> 16 & 0xffff);
	difference = (difference & 0xffff) + (difference >> 16 & 0xffff);
	*sum = ~difference;
	__builtin_memcpy(data + 30, &fresh, sizeof(fresh));
	return difference % 5 == 0 ? XDP_TX : XDP_PASS;
}
