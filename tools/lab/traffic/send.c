#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "frames.h"

#define BATCH 64
/* After a stall at most so much is caught up at once: a longer burst would overflow the receiver's queue. */
#define CATCH_UP_NS 5000000
/* Shorter waits are spun: the scheduler's wake-up is later than that. */
#define SLEEP_NS_MIN 60000
#define SECOND_NS 1000000000ULL

struct sender {
	const struct options *options;
	int fd;
	struct frames frames[CLASSES];
	uint64_t sequence[CLASSES]; /* the next one, so also the number sent */
	int64_t credit[CLASSES];
	uint64_t sent;
	uint64_t refused; /* batches that the interface had no room for; they are offered again */
};

/* Smooth weighted round robin: the classes are interleaved, not sent in runs. */
static enum traffic_class next_class(struct sender *sender)
{
	enum traffic_class best = GOOD;
	int64_t total = 0;

	for (int class = 0; class < CLASSES; class++) {
		sender->credit[class] += sender->options->mix[class];
		total += sender->options->mix[class];
		if (sender->credit[class] > sender->credit[best])
			best = (enum traffic_class)class;
	}
	sender->credit[best] -= total;
	return best;
}

/* Offers the batch until it is taken, the end is reached or the interface fails. The number taken. */
static unsigned offer(struct sender *sender, struct mmsghdr *messages, unsigned count, uint64_t end_ns)
{
	unsigned taken = 0;

	while (taken < count) {
		int result = sendmmsg(sender->fd, messages + taken, count - taken, 0);

		if (result > 0) {
			taken += (unsigned)result;
			continue;
		}
		if (errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			die("cannot send");
		if (errno != EINTR)
			sender->refused++;
		if (stopped || now_ns() >= end_ns)
			break;
		nanosleep(&(struct timespec){ .tv_nsec = SLEEP_NS_MIN }, NULL);
	}
	return taken;
}

static void send_batch(struct sender *sender, unsigned count, uint64_t end_ns)
{
	static uint8_t bytes[BATCH][FRAME_BYTES_MAX];
	struct iovec parts[BATCH];
	struct mmsghdr messages[BATCH] = { 0 };
	enum traffic_class classes[BATCH];
	uint64_t sequence[CLASSES], sent_ns = now_ns();
	unsigned frame_bytes = sender->options->frame_bytes, taken;

	memcpy(sequence, sender->sequence, sizeof(sequence));
	for (unsigned at = 0; at < count; at++) {
		enum traffic_class class = classes[at] = next_class(sender);
		struct frames frames = sender->frames[class];
		struct trailer trailer = {
			.magic = TRAILER_MAGIC,
			.run = sender->options->run,
			.class = class,
			.sequence = sequence[class]++,
			.sent_ns = sent_ns,
		};

		number_frame(&frames.list[trailer.sequence % frames.count], &trailer, frame_bytes, bytes[at]);
		parts[at] = (struct iovec){ .iov_base = bytes[at], .iov_len = frame_bytes };
		messages[at].msg_hdr = (struct msghdr){ .msg_iov = &parts[at], .msg_iovlen = 1 };
	}
	taken = offer(sender, messages, count, end_ns);
	for (unsigned at = 0; at < taken; at++)
		sender->sequence[classes[at]]++;
	sender->sent += taken;
}

static void print_state(const struct sender *sender, const char *kind, uint64_t start_ns)
{
	printf("{\"kind\":\"%s\",\"elapsed_ms\":%" PRIu64 ",\"sent\":{", kind, (now_ns() - start_ns) / 1000000);
	for (int class = 0; class < CLASSES; class++)
		printf("%s\"%s\":%" PRIu64, class ? "," : "", CLASS_NAMES[class], sender->sequence[class]);
	printf("},\"refused\":%" PRIu64 "}\n", sender->refused);
}

static void pace(struct sender *sender)
{
	const struct options *options = sender->options;
	uint64_t start = now_ns(), end = start + (uint64_t)(options->seconds * 1e9), line = start + SECOND_NS;
	double gap_ns = 1e9 / options->rate, due_ns = (double)start;

	while (!stopped) {
		uint64_t now = now_ns(), left = options->count ? options->count - sender->sent : BATCH, batch;

		if (now >= end || left == 0)
			break;
		if (options->live && now >= line) {
			print_state(sender, "progress", start);
			line += SECOND_NS;
		}
		if (due_ns < (double)now - CATCH_UP_NS)
			due_ns = (double)now - CATCH_UP_NS;
		if (due_ns > (double)now) {
			if (due_ns - (double)now > SLEEP_NS_MIN)
				nanosleep(&(struct timespec){ .tv_nsec = SLEEP_NS_MIN }, NULL);
			continue;
		}
		batch = (uint64_t)(((double)now - due_ns) / gap_ns) + 1;
		batch = batch < BATCH ? batch : BATCH;
		batch = batch < left ? batch : left;
		send_batch(sender, (unsigned)batch, end);
		due_ns += (double)batch * gap_ns;
	}
	print_state(sender, "report", start);
}

int send_traffic(const struct options *options)
{
	struct sender sender = { .options = options, .fd = packet_socket(options->interface, 0) };

	if (options->rate == 0 || options->mix[GOOD] + options->mix[BOGUS] + options->mix[FLOOD] == 0) {
		fprintf(stderr, "traffic: --rate and one of --good, --bogus, --flood are needed\n");
		return 2;
	}
	for (int class = 0; class < CLASSES; class++)
		sender.frames[class] = make_frames((enum traffic_class)class, options);
	puts("{\"kind\":\"ready\"}");
	pace(&sender);
	return 0;
}
