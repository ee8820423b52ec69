/*
 * A frame from a client, opened, and what is wrong with it: the one place where msb-execd and
 * msb-relayd decide which frames they act upon and how the others are answered. Pure.
 */
#ifndef MSB_INCOMING_H
#define MSB_INCOMING_H

#include <stdbool.h>

#include "msg.h"

/* A frame with what its envelope says; and once a function has returned -EBADMSG, its fault. */
struct incoming {
	const struct frame *frame;
	struct msg_envelope envelope;
	enum msg_refusal fault;
	char why[160];
};

/*
 * Opens the frame and checks all that needs neither the payload nor a session: 0; -EBADMSG; or
 * -EPROTO when it costs the connection.
 */
int incoming_open(struct incoming *in, const struct frame *frame);

/* Decodes the payload as msg_decode() does: 0 or -EBADMSG. */
int incoming_decode(struct incoming *in, void *ret_struct);

/* The same for core.exec.output.close, whose stream must be one that there is. */
int incoming_decode_stream(struct incoming *in, enum msg_stream *ret_stream);

/* Finds that fault with it: -EBADMSG. */
int incoming_fault(struct incoming *in, enum msg_refusal fault, const char *why);

/*
 * Queues the answer to a frame with a fault, if its sender can read one. live: its id has a
 * session, which the answer ends. Returns 0, or -EPROTO when the sender cannot be told and would
 * wait for ever, so that the connection is to be closed.
 */
int incoming_refuse(struct buf *out, const struct incoming *in, bool live);

/* The answers to what an agent that only runs commands does not do. 0, or -errno of the queue. */
int incoming_refuse_fs(struct buf *out, uint32_t id);
int incoming_refuse_tcp(struct buf *out, uint32_t id);

#endif
