/* Walks the packet's headers with a cursor: VLAN tags, IPv4 with options, IPv6 with extension headers, ports. */
#include "program.h"

struct cursor {
	__u8 *at;
	__u8 *end;
};

static __always_inline __u8 *take(struct cursor *cursor, __u32 bytes)
{
	__u8 *taken = cursor->at;

	if (taken + bytes > cursor->end)
		return NULL;
	cursor->at += bytes;
	return taken;
}

static __always_inline bool is_extension(__u8 header)
{
	return header == 0 || header == 43 || header == 60;
}

SEC(SECTION)
int parse(struct xdp_md *ctx)
{
	struct cursor cursor = { data_of(ctx), end_of(ctx) };
	__u8 *header = take(&cursor, 14), next;
	__u16 type;

	if (!header)
		return XDP_DROP;
	type = header[12] << 8 | header[13];
	for (int tags = 0; tags < 2 && (type == 0x8100 || type == 0x88a8); tags++) {
		header = take(&cursor, 4);
		if (!header)
			return XDP_DROP;
		type = header[2] << 8 | header[3];
	}
	if (type == 0x0800) {
		header = take(&cursor, 20);
		if (!header || (header[0] & 15) < 5 || !take(&cursor, ((header[0] & 15) - 5) * 4))
			return XDP_DROP;
		if ((header[6] & 0x1f) || header[7])
			return XDP_TX; /* a later fragment */
		next = header[9];
	} else if (type == 0x86dd) {
		header = take(&cursor, 40);
		if (!header)
			return XDP_DROP;
		next = header[6];
		for (int extensions = 0; extensions < 4 && is_extension(next); extensions++) {
			header = take(&cursor, 8);
			if (!header)
				return XDP_DROP;
			next = header[0];
			if (!take(&cursor, header[1] * 8))
				return XDP_DROP;
		}
	} else {
		return XDP_PASS;
	}
	header = next == 6 || next == 17 ? take(&cursor, 4) : NULL;
	return header && header[3] == 53 ? XDP_ABORTED : XDP_PASS;
}
