/* Redirects to interfaces by number; in a test run nothing is sent. */
#include "tc-program.h"

SEC(SECTION)
int tc_redirect(struct __sk_buff *ctx)
{
	switch (byte_at(ctx, 23)) {
	case 17:
		return bpf_redirect(1, 0);
	case 1:
		return bpf_redirect(1, BPF_F_INGRESS);
	case 47:
		return bpf_redirect(1, 1 << 5); /* flags that nobody knows: TC_ACT_SHOT */
	default:
		return TC_ACT_OK;
	}
}
