/* Legacy packet access (LD_ABS, LD_IND), never behind the packet's end. */
#include "tc-program.h"

unsigned long long load_byte(void *skb, unsigned long long at) asm("llvm.bpf.load.byte");
unsigned long long load_half(void *skb, unsigned long long at) asm("llvm.bpf.load.half");
unsigned long long load_word(void *skb, unsigned long long at) asm("llvm.bpf.load.word");

SEC(SECTION)
int tc_legacy(struct __sk_buff *ctx)
{
	__u64 type, sum;

	if (ctx->len < 60)
		return TC_ACT_OK;
	type = load_half(ctx, 12);
	sum = load_word(ctx, 26) + load_byte(ctx, 14 + (load_byte(ctx, 14) & 31));
	ctx->mark += sum;
	return type == 0x86dd || sum % 3 == 0 ? TC_ACT_SHOT : TC_ACT_OK;
}
