/*
 * Sends and receives numbered packets through packet sockets (packet(7)). Prints JSON, a line each: {"kind":"ready"} once
 * it is set up, {"kind":"progress",...} each second if asked, {"kind":"report",...} at the end. See traffic.ts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "options.h"

volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void die(const char *what)
{
	fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
	exit(1);
}

int packet_socket(const char *interface, uint16_t protocol)
{
	/* Made for no protocol: a socket made for one receives from every interface until it is bound. */
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = protocol,
		.sll_ifindex = (int)if_nametoindex(interface),
	};

	if (fd < 0)
		die("cannot make a packet socket");
	if (address.sll_ifindex == 0)
		die(interface);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0)
		die("cannot bind to the interface");
	return fd;
}

static void usage(const char *what)
{
	fprintf(stderr, "traffic: %s\n", what);
	exit(2);
}

static double number(const char *text, double min, double max)
{
	char *end;
	double value = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(value >= min && value <= max))
		usage("a number is missing or out of bounds");
	return value;
}

static void parse_mac(const char *text, uint8_t *mac)
{
	if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &mac[0], &mac[1], &mac[2], &mac[3], &mac[4], &mac[5]) !=
	    MAC_BYTES)
		usage("a MAC address has six bytes in hexadecimal");
}

enum {
	INTERFACE = 1, RUN, LIVE, SECONDS, SOURCE_MAC, DESTINATION_MAC, IPV4, IPV6, RATE, COUNT, MIX_GOOD, MIX_BOGUS,
	MIX_FLOOD, SOURCES, FRAME, BUFFER, MISSING, IDLE,
};

static const struct option OPTIONS[] = {
	{ "interface", required_argument, 0, INTERFACE },
	{ "run", required_argument, 0, RUN },
	{ "live", no_argument, 0, LIVE },
	{ "seconds", required_argument, 0, SECONDS },
	{ "source-mac", required_argument, 0, SOURCE_MAC },
	{ "destination-mac", required_argument, 0, DESTINATION_MAC },
	{ "ipv4", required_argument, 0, IPV4 },
	{ "ipv6", required_argument, 0, IPV6 },
	{ "rate", required_argument, 0, RATE },
	{ "count", required_argument, 0, COUNT },
	{ "good", required_argument, 0, MIX_GOOD },
	{ "bogus", required_argument, 0, MIX_BOGUS },
	{ "flood", required_argument, 0, MIX_FLOOD },
	{ "sources", required_argument, 0, SOURCES },
	{ "frame-bytes", required_argument, 0, FRAME },
	{ "buffer-bytes", required_argument, 0, BUFFER },
	{ "missing", required_argument, 0, MISSING },
	{ "idle", required_argument, 0, IDLE },
	{ 0 },
};

static void parse_option(int name, const char *text, struct options *options)
{
	switch (name) {
	case INTERFACE: options->interface = text; break;
	case RUN: options->run = (uint32_t)number(text, 0, UINT32_MAX); break;
	case LIVE: options->live = true; break;
	case SECONDS: options->seconds = number(text, 0, 1e6); break;
	case SOURCE_MAC: parse_mac(text, options->source_mac); break;
	case DESTINATION_MAC: parse_mac(text, options->destination_mac); break;
	case IPV4:
		if (inet_pton(AF_INET, text, &options->destination_ipv4) != 1)
			usage("not an IPv4 address");
		break;
	case IPV6:
		if (inet_pton(AF_INET6, text, &options->destination_ipv6) != 1)
			usage("not an IPv6 address");
		break;
	case RATE: options->rate = number(text, 1, 1e8); break;
	case COUNT: options->count = (uint64_t)number(text, 0, 1e15); break;
	case MIX_GOOD: options->mix[GOOD] = (unsigned)number(text, 0, 1e6); break;
	case MIX_BOGUS: options->mix[BOGUS] = (unsigned)number(text, 0, 1e6); break;
	case MIX_FLOOD: options->mix[FLOOD] = (unsigned)number(text, 0, 1e6); break;
	case SOURCES: options->sources = (unsigned)number(text, 1, 200); break;
	case FRAME: options->frame_bytes = (unsigned)number(text, 128, FRAME_BYTES_MAX) & ~1U; break;
	case BUFFER: options->buffer_bytes = (int)number(text, 0, 1 << 30); break;
	case MISSING: options->missing_max = (unsigned)number(text, 0, 10000); break;
	case IDLE: options->idle_seconds = number(text, 0, 1e6); break;
	default: usage("unknown option");
	}
}

int main(int argc, char **argv)
{
	struct options options = { .seconds = 60, .sources = 8, .frame_bytes = 128, .buffer_bytes = 64 << 20, .missing_max = 20 };
	struct sigaction action = { .sa_handler = stop };
	int name;

	/* Never outlives who started it. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc < 2)
		usage("send or receive?");
	while ((name = getopt_long(argc - 1, argv + 1, "", OPTIONS, NULL)) != -1)
		parse_option(name, optarg, &options);
	if (options.interface == NULL)
		usage("--interface is missing");
	if (strcmp(argv[1], "send") == 0)
		return send_traffic(&options);
	if (strcmp(argv[1], "receive") == 0)
		return receive_traffic(&options);
	usage("send or receive?");
}
