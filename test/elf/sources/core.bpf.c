// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A structure of the kernel whose layout is resolved at load time (CO-RE).
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct device_view {
	int ifindex;
	unsigned int mtu;
	struct {
		int users;
	} counts[2];
} __attribute__((preserve_access_index));

static __noinline int users(struct device_view *device)
{
	return device->counts[1].users + __builtin_preserve_field_info(device->mtu, 2);
}

SEC("xdp")
int relocated(struct xdp_md *ctx)
{
	struct device_view *device = (void *)(long)ctx->data;

	return device->ifindex + users(device);
}

SEC("xdp/second")
int unrelocated(struct xdp_md *ctx)
{
	return XDP_PASS;
}

char _license[] SEC("license") = "Dual MIT/GPL";
