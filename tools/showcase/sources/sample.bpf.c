// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
/* Writes the headers of one packet in so many to a ring buffer. */
#include "showcase.h"

const volatile __u32 cfg_one_in = 1000;

struct sample {
	__u64 at;
	__be32 source;
	__be32 destination;
	__be16 source_port;
	__be16 destination_port;
	__u16 length;
	__u8 protocol;
	__u8 ttl;
};

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
} samples SEC(".maps");

COUNTERS(taken, 1);
COUNTERS(lost, 1);

SEC(SECTION)
int ENTRY(CONTEXT *ctx)
{
	void *end = (void *)(long)ctx->data_end;
	struct sample *sample;
	struct seen seen;

	if (cfg_one_in > 1 && bpf_get_prandom_u32() % cfg_one_in)
		return PASS;
	if (!look((void *)(long)ctx->data, end, &seen))
		return PASS;
	sample = bpf_ringbuf_reserve(&samples, sizeof(*sample), 0);
	if (!sample) {
		add_to(&lost, 0, 1);
		return PASS;
	}
	*sample = (struct sample){
		.at = bpf_ktime_get_ns(),
		.source = seen.ip->saddr,
		.destination = seen.ip->daddr,
		.source_port = seen.ports->source,
		.destination_port = seen.ports->destination,
		.length = bpf_ntohs(seen.ip->tot_len),
		.protocol = seen.ip->protocol,
		.ttl = seen.ip->ttl,
	};
	bpf_ringbuf_submit(sample, 0);
	add_to(&taken, 0, 1);
	return PASS;
}
