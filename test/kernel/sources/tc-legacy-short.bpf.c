/* Legacy packet access without looking where the packet ends: behind it, the program ends there and then with 0. */
#include "tc-program.h"

unsigned long long load_byte(void *skb, unsigned long long at) asm("llvm.bpf.load.byte");
unsigned long long load_word(void *skb, unsigned long long at) asm("llvm.bpf.load.word");

__u64 begun, ended;

static __noinline int word_at_end(struct __sk_buff *ctx)
{
	return load_word(ctx, 90);
}

SEC(SECTION)
int tc_legacy_short(struct __sk_buff *ctx)
{
	__u64 sum;

	begun += 1;
	sum = load_byte(ctx, 50);
	sum += word_at_end(ctx); /* in a subprogram too: then only the subprogram ends */
	ended += 1;
	return sum & 1 ? TC_ACT_SHOT : TC_ACT_PIPE;
}
