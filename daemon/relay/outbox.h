/*
 * What goes to the guest: frames in two queues, and the input of commands behind them, each let
 * into the stream as far as the agent's quota allows. What commands are told (requests, signals)
 * never waits behind what they are fed: a queue of streams that is stuck holds up nothing else.
 */
#ifndef MSB_RELAY_OUTBOX_H
#define MSB_RELAY_OUTBOX_H

#include "quota.h"
#include "shared/io/link.h"

struct outbox {
	struct link *link; /* borrowed; whole frames alone are put there */
	struct quota quota;
	bool shut;	    /* by the owner: nothing goes, whatever the quota */
	struct buf control; /* one frame after the other */
	struct buf streams; /* of files and TCP */
};

void outbox_init(struct outbox *outbox, struct link *link, struct buf_spare *spare);
void outbox_release(struct outbox *outbox);

/* The stream is a new one, or the guest on it is: what waited was for the one before. */
void outbox_clear(struct outbox *outbox);

/* Lets go what may go. To be called after each frame that was put, and once there is more quota. 0 or -errno. */
int outbox_pump(struct outbox *outbox);

/* Whether frames wait for quota. */
static inline bool outbox_is_held(const struct outbox *outbox)
{
	return buf_len(&outbox->control) || buf_len(&outbox->streams);
}

/* Bytes that have yet to go out. */
static inline size_t outbox_unsent(const struct outbox *outbox)
{
	return buf_len(&outbox->control) + buf_len(&outbox->streams) + link_unsent(outbox->link);
}

/* Puts what the relay itself has to say before all that waits. 0 or -errno. */
int outbox_put_first(struct outbox *outbox, const struct buf *frame);

/* How many bytes of input may be put now, in one frame; 0: not even an end. */
size_t outbox_input_room(const struct outbox *outbox);

/* Puts a frame of input, at most outbox_input_room() bytes; none is its end. 0 or -errno. */
int outbox_put_input(struct outbox *outbox, uint32_t id, const uint8_t *data, size_t len);

#endif
