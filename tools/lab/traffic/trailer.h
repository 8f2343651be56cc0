/* What every packet of the tool ends with, in host order: both ends are on one machine. */
#ifndef TRAFFIC_TRAILER_H
#define TRAFFIC_TRAILER_H

#include <stdint.h>

#define TRAILER_MAGIC 0x686f6f6b6c696e65ULL /* "hookline" */

enum traffic_class {
	GOOD,  /* valid UDP of several sources */
	BOGUS, /* what no honest peer sends */
	FLOOD, /* valid UDP of one source */
	CLASSES,
};

static const char *const CLASS_NAMES[CLASSES] = { "good", "bogus", "flood" };

/* At the end of the frame, so that it is found whatever the headers say. 32 bytes, so checksums stay aligned. */
struct trailer {
	uint64_t magic;
	uint64_t sequence; /* counts from 0 in its class */
	uint32_t run;	   /* tells one sender from another */
	uint32_t class;
	uint64_t sent_ns; /* CLOCK_MONOTONIC */
};

#endif
