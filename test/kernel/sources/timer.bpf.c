/* A bpf_timer in an array, armed for a day ahead: its callback is verified and loaded, but never runs in a test. */
#include "program.h"

#define MONOTONIC 1 /* CLOCK_MONOTONIC, linux/time.h */
#define DAY_NS (24ULL * 3600 * 1000000000)

struct element {
	__u64 packets;
	__u64 armed;
	struct bpf_timer timer;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct element);
} timers SEC(".maps");

static int when_due(void *map, __u32 *key, struct element *element)
{
	element->packets = 0;
	return 0;
}

SEC(SECTION)
int timer(struct xdp_md *ctx)
{
	__u32 zero = 0;
	struct element *element = bpf_map_lookup_elem(&timers, &zero);

	if (!element)
		return XDP_ABORTED;
	if (!element->armed && !bpf_timer_init(&element->timer, &timers, MONOTONIC)) {
		bpf_timer_set_callback(&element->timer, when_due);
		element->armed = !bpf_timer_start(&element->timer, DAY_NS, 0);
	}
	element->packets += 1;
	return element->packets % 6 == 0 || !element->armed ? XDP_DROP : XDP_PASS;
}
