/* A frame that is being built at the tail of a queue; for the msg files alone. */
#ifndef MSB_MSG_DRAFT_H
#define MSB_MSG_DRAFT_H

#include "msg.h"
#include "msg_wire.h"

#define DRAFT_SMALL 256	 /* payloads of numbers and fixed words, in bytes */
#define DRAFT_TEXT  1024 /* a message for people, cut */

struct draft {
	struct buf *out;
	uint8_t *space;
	struct wire_writer w; /* where the payload goes */
};

/* Makes room for a payload of up to payload_max bytes: 0, -ENOBUFS, -ENOMEM or -EMSGSIZE. */
int draft_begin(struct draft *draft, struct buf *out, size_t payload_max);

/* Puts the head before the payload and queues the frame: 0 or -EMSGSIZE. */
int draft_end(struct draft *draft, uint32_t id, enum msg_type type);

/* A frame whose payload is one key with a number. */
int draft_number(struct buf *out, uint32_t id, enum msg_type type, const char *key, int64_t n);

#endif
