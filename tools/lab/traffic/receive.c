#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "options.h"

#define BATCH 64
/* Between two looks when nothing is there. Sleeping in poll(2) would cost the sender a wake-up for every packet. */
#define LOOK_NS 500000
#define SECOND_NS 1000000000ULL
/* 128 MiB of bitmap for a class: an hour at 300,000 packets/s. */
#define SEQUENCES_MAX (1ULL << 30)

/* What arrived of one class. */
struct arrivals {
	uint64_t received;
	uint64_t distinct;
	uint64_t beyond;  /* sequence numbers that the bitmap cannot hold: received, but not told apart */
	uint64_t highest; /* of the distinct ones, plus one */
	uint64_t first_ns, last_ns;
	uint64_t *seen; /* a bit for each sequence number */
	uint64_t seen_bits;
};

struct receiver {
	const struct options *options;
	int fd;
	uint64_t foreign; /* packets that are not of this run */
	uint64_t dropped; /* by the socket, for want of buffer */
	struct arrivals arrivals[CLASSES];
};

static void grow(struct arrivals *arrivals, uint64_t sequence)
{
	uint64_t bits = arrivals->seen_bits ? arrivals->seen_bits : 1 << 20;

	while (bits <= sequence)
		bits *= 2;
	arrivals->seen = realloc(arrivals->seen, bits / 8);
	if (arrivals->seen == NULL)
		die("no memory");
	memset((uint8_t *)arrivals->seen + arrivals->seen_bits / 8, 0, (bits - arrivals->seen_bits) / 8);
	arrivals->seen_bits = bits;
}

static void note(struct arrivals *arrivals, uint64_t sequence, uint64_t at_ns)
{
	uint64_t bit = 1ULL << (sequence % 64);

	if (arrivals->received++ == 0)
		arrivals->first_ns = at_ns;
	arrivals->last_ns = at_ns;
	if (sequence >= SEQUENCES_MAX) {
		arrivals->beyond++;
		return;
	}
	if (sequence >= arrivals->seen_bits)
		grow(arrivals, sequence);
	if (arrivals->seen[sequence / 64] & bit)
		return;
	arrivals->seen[sequence / 64] |= bit;
	arrivals->distinct++;
	if (sequence >= arrivals->highest)
		arrivals->highest = sequence + 1;
}

/* Takes what has arrived, without waiting. The number of packets. */
static int take(struct receiver *receiver)
{
	static uint8_t bytes[BATCH][FRAME_BYTES_MAX];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	uint64_t now;
	int count;

	for (int at = 0; at < BATCH; at++) {
		parts[at] = (struct iovec){ .iov_base = bytes[at], .iov_len = FRAME_BYTES_MAX };
		messages[at].msg_hdr = (struct msghdr){ .msg_iov = &parts[at], .msg_iovlen = 1 };
	}
	count = recvmmsg(receiver->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (count < 0 && errno != EAGAIN && errno != EINTR && errno != ENETDOWN)
		die("cannot receive");
	now = now_ns();
	for (int at = 0; at < count; at++) {
		struct trailer trailer = { 0 };

		if (messages[at].msg_len >= sizeof(trailer))
			memcpy(&trailer, bytes[at] + messages[at].msg_len - sizeof(trailer), sizeof(trailer));
		if (trailer.magic == TRAILER_MAGIC && trailer.run == receiver->options->run && trailer.class < CLASSES)
			note(&receiver->arrivals[trailer.class], trailer.sequence, now);
		else
			receiver->foreign++;
	}
	return count;
}

/* Reading the statistics sets them back to 0 (packet(7)). */
static void read_drops(struct receiver *receiver)
{
	struct tpacket_stats statistics;
	socklen_t length = sizeof(statistics);

	if (getsockopt(receiver->fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &length) == 0)
		receiver->dropped += statistics.tp_drops;
}

static void print_missing(const struct arrivals *arrivals, unsigned max)
{
	uint64_t listed = 0;

	printf(",\"missing\":[");
	for (uint64_t at = 0; at < arrivals->highest && listed < max; at++) {
		uint64_t from = at;

		while (at < arrivals->highest && !(arrivals->seen[at / 64] >> (at % 64) & 1))
			at++;
		if (at > from)
			printf("%s[%" PRIu64 ",%" PRIu64 "]", listed++ ? "," : "", from, at - 1);
	}
	printf("]");
}

static void print_state(struct receiver *receiver, const char *kind, uint64_t start_ns, bool whole)
{
	read_drops(receiver);
	printf("{\"kind\":\"%s\",\"elapsed_ms\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"socketDrops\":%" PRIu64
	       ",\"classes\":{",
	       kind, (now_ns() - start_ns) / 1000000, receiver->foreign, receiver->dropped);
	for (int class = 0; class < CLASSES; class++) {
		const struct arrivals *arrivals = &receiver->arrivals[class];

		printf("%s\"%s\":{\"received\":%" PRIu64 ",\"distinct\":%" PRIu64 ",\"duplicates\":%" PRIu64,
		       class ? "," : "", CLASS_NAMES[class], arrivals->received, arrivals->distinct,
		       arrivals->received - arrivals->distinct - arrivals->beyond);
		if (whole) {
			printf(",\"beyond\":%" PRIu64 ",\"first_ms\":%" PRIu64 ",\"last_ms\":%" PRIu64, arrivals->beyond,
			       arrivals->received ? (arrivals->first_ns - start_ns) / 1000000 : 0,
			       arrivals->received ? (arrivals->last_ns - start_ns) / 1000000 : 0);
			print_missing(arrivals, receiver->options->missing_max);
		}
		printf("}");
	}
	printf("}}\n");
}

static uint64_t last_arrival(const struct receiver *receiver)
{
	uint64_t last = 0;

	for (int class = 0; class < CLASSES; class++)
		if (receiver->arrivals[class].last_ns > last)
			last = receiver->arrivals[class].last_ns;
	return last;
}

static void listen_until_end(struct receiver *receiver, uint64_t start)
{
	const struct options *options = receiver->options;
	uint64_t end = start + (uint64_t)(options->seconds * 1e9), line = start + SECOND_NS;
	uint64_t idle_ns = (uint64_t)(options->idle_seconds * 1e9);

	while (!stopped) {
		uint64_t now = now_ns(), last = last_arrival(receiver);

		if (now >= end || (idle_ns && last && now > last + idle_ns))
			break;
		if (options->live && now >= line) {
			print_state(receiver, "progress", start, false);
			line += SECOND_NS;
		}
		if (take(receiver) <= 0)
			nanosleep(&(struct timespec){ .tv_nsec = LOOK_NS }, NULL);
	}
	/* What waits in the socket has arrived too; the bound is for a sender that never stops. */
	for (int batches = 0; batches < 1 << 16 && take(receiver) > 0; batches++)
		;
}

int receive_traffic(const struct options *options)
{
	struct receiver receiver = { .options = options, .fd = packet_socket(options->interface, htons(ETH_P_ALL)) };
	int on = 1;
	uint64_t start;

	if (setsockopt(receiver.fd, SOL_SOCKET, SO_RCVBUFFORCE, &options->buffer_bytes, sizeof(int)) != 0)
		die("cannot set the receive buffer");
	if (setsockopt(receiver.fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) != 0)
		die("cannot leave out outgoing packets");
	start = now_ns();
	puts("{\"kind\":\"ready\"}");
	listen_until_end(&receiver, start);
	print_state(&receiver, "report", start, true);
	return 0;
}
