/* Several constants side by side, and maps of one shape that are named more than once: what differs is where it reads. */
#include "program.h"

const volatile __u32 cfg_drop = 0;
const volatile __u32 cfg_byte = 7;

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} seen SEC(".maps"), marked SEC(".maps");

static __always_inline void add(void *map, __u32 number)
{
	__u32 key = 0;
	__u32 *sum = bpf_map_lookup_elem(map, &key);

	if (sum)
		*sum += number;
}

SEC(SECTION)
int places(struct xdp_md *ctx)
{
	add(&seen, 1);
	add(&marked, 2);
	if (byte_at(ctx, 12) == 0x86)
		add(&seen, 3);
	if (cfg_drop)
		return XDP_DROP;
	return byte_at(ctx, 20) == cfg_byte ? XDP_TX : XDP_PASS;
}
