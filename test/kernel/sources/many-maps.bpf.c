/* Uses 64 maps, as many as one program can. */
#include "program.h"

#define MAP(name)                                                                                                      \
	struct {                                                                                                       \
		__uint(type, BPF_MAP_TYPE_ARRAY);                                                                      \
		__uint(max_entries, 1);                                                                                \
		__type(key, __u32);                                                                                    \
		__type(value, __u64);                                                                                  \
	} map_##name SEC(".maps");
#define EIGHT(of, one) of(one##0) of(one##1) of(one##2) of(one##3) of(one##4) of(one##5) of(one##6) of(one##7)
#ifdef ONE_LESS
#define ALL(of) EIGHT(of, a) EIGHT(of, b) EIGHT(of, c) EIGHT(of, d) EIGHT(of, e) EIGHT(of, f) EIGHT(of, g) \
	of(h0) of(h1) of(h2) of(h3) of(h4) of(h5) of(h6)
#else
#define ALL(of) EIGHT(of, a) EIGHT(of, b) EIGHT(of, c) EIGHT(of, d) EIGHT(of, e) EIGHT(of, f) EIGHT(of, g) EIGHT(of, h)
#endif
#define USE(name)                                                                                                      \
	if (!bpf_map_lookup_elem(&map_##name, &zero))                                                                  \
		return XDP_ABORTED;

ALL(MAP)

SEC(SECTION)
int many_maps(struct xdp_md *ctx)
{
	__u32 zero = 0;

	ALL(USE)
	return XDP_PASS;
}
