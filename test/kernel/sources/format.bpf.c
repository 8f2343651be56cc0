/* bpf_snprintf, whose format the verifier reads from frozen constants, and bpf_strtol of what it wrote. */
#include "program.h"

static const char FORMAT[] = "%u";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, char[16]);
} text SEC(".maps");

SEC(SECTION)
int format(struct xdp_md *ctx)
{
	__u64 size = end_of(ctx) - data_of(ctx), arguments[] = { size * 3 + byte_at(ctx, 23) };
	__u32 zero = 0;
	long number = 0;
	char *written = bpf_map_lookup_elem(&text, &zero);

	if (!written || bpf_snprintf(written, 16, FORMAT, arguments, sizeof(arguments)) < 2)
		return XDP_ABORTED;
	if (bpf_strtol(written + 1, 8, 10, &number) < 0)
		return XDP_DROP;
	return (__u64)number % 5 == 2 ? XDP_TX : XDP_PASS;
}
