/* Redirects: to an interface by number, and through device and cpu maps whose slots are empty. */
#include "program.h"

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
} ports SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} cpus SEC(".maps");

SEC(SECTION)
int redirect(struct xdp_md *ctx)
{
	__u8 byte = byte_at(ctx, 23);

	if (byte == 17)
		return bpf_redirect(1, 0);
	if (byte == 1)
		return bpf_redirect_map(&cpus, 1, XDP_TX);
	return bpf_redirect_map(&ports, byte & 3, byte == 47 ? XDP_DROP : XDP_PASS);
}
