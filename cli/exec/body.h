/*
 * The bodies of large frames of output: moved from the socket to a pipe that reads our output, without
 * coming into our memory.
 */
#ifndef MSB_EXEC_BODY_H
#define MSB_EXEC_BODY_H

#include "cli/terminal/stream.h"

/* All zero: there is none. */
struct exec_body {
	struct stream *to; /* not owned */
	bool waits;	   /* for its reader */
};

/* One begins, for that stream: whether it can be moved there. */
bool exec_body_begin(struct exec_body *body, struct stream *to);

/*
 * Takes up to len bytes of it from a socket: their number, 0 at its end, -EBUSY while its reader is behind,
 * or -errno. leaving: it is not waited for, so that what does not go out is queued.
 */
ssize_t exec_body_move(struct exec_body *body, int fd, size_t len, bool leaving);

/* Whether to watch for room there. */
static inline bool exec_body_waits_for(const struct exec_body *body, const struct stream *stream)
{
	return body->waits && body->to == stream;
}

#endif
