/* A ring buffer: copied into, reserved and submitted, reserved and discarded. Nothing depends on what is in it. */
#include "program.h"

struct event {
	__u32 bytes;
	__u32 first;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 16);
} events SEC(".maps");

SEC(SECTION)
int ring(struct xdp_md *ctx)
{
	struct event copied = { end_of(ctx) - data_of(ctx), byte_at(ctx, 0) }, *event;

	bpf_ringbuf_output(&events, &copied, sizeof(copied), BPF_RB_NO_WAKEUP);
	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (event) {
		*event = copied;
		if (copied.first & 1)
			bpf_ringbuf_discard(event, BPF_RB_NO_WAKEUP);
		else
			bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	}
	return copied.bytes % 5 == 0 ? XDP_TX : XDP_PASS;
}
