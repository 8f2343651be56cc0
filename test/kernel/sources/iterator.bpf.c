/* A loop by kernel functions: an open-coded iterator over numbers, as many as the packet says. */
#include "program.h"

struct bpf_iter_num {
	__u64 opaque[1];
} __attribute__((aligned(8)));

extern int bpf_iter_num_new(struct bpf_iter_num *it, int start, int end) __ksym;
extern int *bpf_iter_num_next(struct bpf_iter_num *it) __ksym;
extern void bpf_iter_num_destroy(struct bpf_iter_num *it) __ksym;

__u64 rounds;

SEC(SECTION)
int iterator(struct xdp_md *ctx)
{
	struct bpf_iter_num numbers;
	int *number;

	bpf_iter_num_new(&numbers, 0, byte_at(ctx, 17) & 31);
	while ((number = bpf_iter_num_next(&numbers)))
		rounds += *number + 1;
	bpf_iter_num_destroy(&numbers);
	return rounds % 6 == 1 ? XDP_TX : XDP_PASS;
}
