/* The command line of the tool, parsed. */
#ifndef TRAFFIC_OPTIONS_H
#define TRAFFIC_OPTIONS_H

#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "trailer.h"

#define MAC_BYTES 6
#define FRAME_BYTES_MAX 1514

struct options {
	const char *interface;
	uint32_t run;
	bool live;	  /* a line each second */
	double seconds;	  /* the end, whatever else happens */
	/* send */
	uint8_t source_mac[MAC_BYTES];
	uint8_t destination_mac[MAC_BYTES];
	struct in_addr destination_ipv4;
	struct in6_addr destination_ipv6;
	double rate;	       /* packets/s of all classes together */
	uint64_t count;	       /* packets of all classes together, 0 for no bound */
	unsigned mix[CLASSES]; /* weights */
	unsigned sources;      /* of good packets: so many IPv4 and so many IPv6 */
	unsigned frame_bytes;
	/* receive */
	int buffer_bytes;
	unsigned missing_max; /* ranges listed */
	double idle_seconds;  /* without a packet of the tool, after the first; 0 for no bound */
};

/* Set by SIGTERM and SIGINT. */
extern volatile sig_atomic_t stopped;

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* Prints to stderr what failed and why (errno), and exits with 1. */
_Noreturn void die(const char *what);

/* A raw packet socket bound to the interface; `protocol` in network order, 0 receives nothing. */
int packet_socket(const char *interface, uint16_t protocol);

int send_traffic(const struct options *options);
int receive_traffic(const struct options *options);

#endif
