/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* What the programs of the soak share: each is compiled for XDP, or with TC defined for TC. */
#ifndef SOAK_H
#define SOAK_H

#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_helpers.h>

#ifdef TC
#define SECTION "tc"
#define CONTEXT struct __sk_buff
#define PASS TC_ACT_OK
#define DROP TC_ACT_SHOT
#else
#define SECTION "xdp"
#define CONTEXT struct xdp_md
#define PASS XDP_PASS
#define DROP XDP_DROP
#endif

#ifndef RELEASE
#define RELEASE 1
#endif

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#endif
