// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// What reaches beyond the packet: helpers, kernel functions, maps, tail calls. Those that need to pass, pass.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#ifndef XDP
#define XDP SEC("xdp")
#endif

#define MAP(name, kind, key_type, value_type) \
	struct { \
		__uint(type, BPF_MAP_TYPE_##kind); \
		__uint(max_entries, 4); \
		__type(key, key_type); \
		__type(value, value_type); \
	} name SEC(".maps")

MAP(verdicts, ARRAY, __u32, __u32);
MAP(ports, DEVMAP, __u32, __u32);
MAP(processors, CPUMAP, __u32, __u32);
MAP(sockets, SOCKMAP, __u32, __u64);
MAP(events, PERF_EVENT_ARRAY, __u32, __u32);
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, __u32);
	__type(value, __u32);
	__uint(pinning, LIBBPF_PIN_BY_NAME);
} pinned SEC(".maps");
struct timed { struct bpf_timer timer; __u64 runs; };
MAP(timers, ARRAY, __u32, struct timed);
struct guarded { struct bpf_spin_lock lock; __u64 count; };
MAP(locks, ARRAY, __u32, struct guarded);
struct {
	__uint(type, 33); /* BPF_MAP_TYPE_ARENA */
	__uint(map_flags, 1 << 10);
	__uint(max_entries, 1);
} arena SEC(".maps");
struct {
	__uint(type, 99);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} of_tomorrow SEC(".maps");

__u64 total;

int jumped_to(struct xdp_md *ctx);
struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__type(key, __u32);
	__array(values, int(void *));
} programs SEC(".maps") = { .values = { (void *)&jumped_to } };

XDP int jumped_to(struct xdp_md *ctx)
{
	__u8 *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (data + 1 > end)
		return XDP_PASS;
	*data = 1;
	return XDP_PASS;
}

XDP int jumps(struct xdp_md *ctx) { bpf_tail_call(ctx, &programs, 0); return XDP_PASS; }
static __noinline int jump_deep(struct xdp_md *ctx) { bpf_tail_call(ctx, &programs, 0); return XDP_PASS; }
XDP int jumps_below(struct xdp_md *ctx) { return jump_deep(ctx) == 3 ? XDP_PASS : 2; }

XDP int verdict_of_map(struct xdp_md *ctx)
{
	__u32 key = 0, *verdict = bpf_map_lookup_elem(&verdicts, &key);

	return verdict ? *verdict : XDP_PASS;
}

XDP int verdict_of_helper(struct xdp_md *ctx) { return bpf_get_prandom_u32(); }
XDP int to_interface(struct xdp_md *ctx) { return bpf_redirect(2, 0); }
XDP int to_port(struct xdp_md *ctx) { return bpf_redirect_map(&ports, 1, XDP_PASS); }
XDP int to_all_ports(struct xdp_md *ctx) { return bpf_redirect_map(&ports, 0, BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS); }
XDP int to_processor(struct xdp_md *ctx) { return bpf_redirect_map(&processors, 1, XDP_TX); }
XDP int to_interface_unseen(struct xdp_md *ctx) { bpf_redirect(2, 0); return XDP_PASS; }

static __noinline void send(struct xdp_md *ctx, __u64 what)
{
	bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, &what, sizeof(what));
}
XDP int sends_events(struct xdp_md *ctx) { send(ctx, 3); return XDP_PASS; }
XDP int prints(struct xdp_md *ctx) { bpf_printk("packet"); return XDP_PASS; }

XDP int reads_kernel(struct xdp_md *ctx) { __u64 word; bpf_probe_read_kernel(&word, 8, (void *)total); total += word; return XDP_PASS; }
XDP int reads_user(struct xdp_md *ctx) { __u64 word; bpf_probe_read_user(&word, 8, (void *)total); total += word; return XDP_PASS; }
XDP int reads_either(struct xdp_md *ctx) { __u64 word; bpf_probe_read(&word, 8, (void *)total); total += word; return XDP_PASS; }
XDP int writes_user(struct xdp_md *ctx) { __u64 word = 1; bpf_probe_write_user((void *)total, &word, 8); return XDP_PASS; }
XDP int overrides(struct xdp_md *ctx) { bpf_override_return((void *)ctx, 1); return XDP_PASS; }
XDP int signals(struct xdp_md *ctx) { bpf_send_signal(9); return XDP_PASS; }
XDP int sees_process(struct xdp_md *ctx) { total += bpf_get_current_pid_tgid(); return XDP_PASS; }

static int on_time(void *map, int *key, struct timed *value)
{
	value->runs++;
	bpf_timer_start(&value->timer, 1000, 0);
	return 0;
}

XDP int sets_timer(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct timed *value = bpf_map_lookup_elem(&timers, &key);

	if (!value)
		return XDP_PASS;
	bpf_timer_init(&value->timer, &timers, 1);
	bpf_timer_set_callback(&value->timer, on_time);
	bpf_timer_start(&value->timer, 1000, 0);
	return XDP_PASS;
}

static int send_on_time(void *map, int *key, struct timed *value)
{
	__u64 *record = (void *)value;

	bpf_printk("%d", record[2]);
	return 0;
}

XDP int reports_on_time(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct timed *value = bpf_map_lookup_elem(&timers, &key);

	if (value)
		bpf_timer_set_callback(&value->timer, send_on_time);
	return XDP_PASS;
}

XDP int locks_and_counts(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct guarded *value = bpf_map_lookup_elem(&locks, &key);

	if (!value)
		return XDP_PASS;
	bpf_spin_lock(&value->lock);
	value->count++;
	bpf_spin_unlock(&value->lock);
	return XDP_PASS;
}

XDP int looks_up_socket(struct xdp_md *ctx)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *socket = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), BPF_F_CURRENT_NETNS, 0);

	if (socket) {
		total += socket->mark;
		bpf_sk_release(socket);
	}
	return XDP_PASS;
}

XDP int socket_of_map(struct xdp_md *ctx)
{
	__u32 key = 0;
	struct bpf_sock *socket = bpf_map_lookup_elem(&sockets, &key);

	if (socket)
		bpf_sk_release(socket);
	return XDP_PASS;
}

XDP int asks_routes(struct xdp_md *ctx)
{
	struct bpf_fib_lookup route = { .family = 2, .ifindex = 1 };

	total += bpf_fib_lookup(ctx, &route, sizeof(route), 0) + route.ifindex + bpf_ktime_get_ns();
	return XDP_PASS;
}

XDP int shares_map(struct xdp_md *ctx) { __u32 key = 0; bpf_map_delete_elem(&pinned, &key); return XDP_PASS; }
XDP int shares_arena(struct xdp_md *ctx) { asm volatile("" :: "r"(&arena)); return XDP_PASS; }
XDP int uses_map_of_tomorrow(struct xdp_md *ctx) { __u32 key = 0; bpf_map_delete_elem(&of_tomorrow, &key); return XDP_PASS; }

static long (*helper_of_tomorrow)(void) = (void *)9999;
XDP int calls_helper_of_tomorrow(struct xdp_md *ctx) { helper_of_tomorrow(); return XDP_PASS; }

extern int somebodys_function(struct xdp_md *ctx) __ksym;
extern void bpf_rcu_read_lock(void) __ksym;
extern void bpf_rcu_read_unlock(void) __ksym;
extern const int somebodys_variable __ksym;
XDP int calls_kernel(struct xdp_md *ctx) { somebodys_function(ctx); return XDP_PASS; }
XDP int verdict_of_kernel(struct xdp_md *ctx) { return somebodys_function(ctx); }
XDP int locks_rcu(struct xdp_md *ctx) { bpf_rcu_read_lock(); bpf_rcu_read_unlock(); return XDP_PASS; }
XDP int reads_variable_of_kernel(struct xdp_md *ctx) { total += somebodys_variable; return XDP_PASS; }

char LICENSE[] SEC("license") = "GPL";
