/* The packets that are sent: made once, then only numbered. */
#ifndef TRAFFIC_FRAMES_H
#define TRAFFIC_FRAMES_H

#include "options.h"

struct frame {
	uint16_t checksum_at; /* of the transport checksum, in bytes */
	uint32_t sum;	      /* its one's complement sum but for the trailer */
	uint8_t bytes[FRAME_BYTES_MAX];
};

/* The frames of a class, sent in turn. */
struct frames {
	struct frame *list;
	unsigned count;
};

struct frames make_frames(enum traffic_class class, const struct options *options);

/* Writes a frame into `out` with its trailer and the checksum over it. */
void number_frame(const struct frame *frame, const struct trailer *trailer, unsigned frame_bytes, uint8_t *out);

#endif
