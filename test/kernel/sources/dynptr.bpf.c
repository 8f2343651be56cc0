/* Dynamic pointers: one to the packet (a kernel function), read as a slice, and one to a map's element. */
#include "program.h"

extern int bpf_dynptr_from_xdp(struct xdp_md *x, __u64 flags, struct bpf_dynptr *ptr__uninit) __ksym;
extern void *bpf_dynptr_slice(const struct bpf_dynptr *p, __u32 offset, void *buffer__opt, __u32 buffer__szk) __ksym;
extern __u32 bpf_dynptr_size(const struct bpf_dynptr *p) __ksym;

struct record {
	__u8 bytes[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct record);
} records SEC(".maps");

SEC(SECTION)
int dynptr(struct xdp_md *ctx)
{
	struct record *record;
	struct bpf_dynptr packet, kept;
	__u8 buffer[8], *slice, last = 0;
	__u32 zero = 0, size;

	if (bpf_dynptr_from_xdp(ctx, 0, &packet))
		return XDP_ABORTED;
	size = bpf_dynptr_size(&packet);
	slice = bpf_dynptr_slice(&packet, 20, buffer, sizeof(buffer));
	if (!slice)
		return XDP_PASS;
	record = bpf_map_lookup_elem(&records, &zero);
	if (!record || bpf_dynptr_from_mem(record, sizeof(*record), 0, &kept))
		return XDP_ABORTED;
	bpf_dynptr_write(&kept, slice[3] & 15, slice, sizeof(buffer), 0);
	bpf_dynptr_read(&last, sizeof(last), &kept, size & 15, 0);
	return (last + size) % 6 == 0 ? XDP_DROP : XDP_PASS;
}
