// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// Global variables of every scalar type in every kind of data section.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

enum mode { OFF, ON, AUTO };
typedef __u32 rate_t;

const volatile rate_t cfg_rate = 100;
const volatile __u8 cfg_byte = 7;
const volatile __u16 cfg_port = 8080;
const volatile __u64 cfg_mask = 0xfffffffffffffff0ull;
const volatile __s8 cfg_shift = -3;
const volatile __s16 cfg_bias = -300;
const volatile __s32 cfg_offset = -70000;
const volatile __s64 cfg_skew_ns = -5000000000ll;
const volatile _Bool cfg_enabled = 1;
const volatile enum mode cfg_mode = AUTO;
const volatile __u8 cfg_mac[6] = { 2, 0, 0, 0, 0, 1 };
const __u32 fixed = 5;
const volatile __u32 limits SEC(".rodata.limits") = 9;

__u64 packets = 0;
__u32 last = 1;
static volatile __u32 hidden = 77;
__u32 window SEC(".data.window") = 4;
struct { __u32 a; __u16 b; } pair SEC(".bss.pair");

SEC("xdp")
int configured(struct xdp_md *ctx)
{
	__u64 sum = cfg_rate + cfg_byte + cfg_port + cfg_mask + cfg_shift + cfg_bias + cfg_offset;

	sum += cfg_skew_ns + cfg_mode + cfg_mac[ctx->rx_queue_index & 3] + limits;
	hidden++;
	packets++;
	last = sum + window + pair.a;
	if (!cfg_enabled)
		bpf_printk("off");
	return sum > 100 ? XDP_PASS : XDP_DROP;
}

char _license[] SEC("license") = "GPL";
