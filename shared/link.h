/*
 * A byte stream (one descriptor or two) and two queues, so that whole frames come in and go out.
 * Reads and writes never block. The owner cuts frames, decides when to read, and calls
 * link_watch() once what it derives that from has changed.
 */
#ifndef MSB_LINK_H
#define MSB_LINK_H

#include <stdbool.h>

#include "buf.h"
#include "bulk.h"
#include "frame.h"
#include "loop.h"

struct link {
	struct loop *loop;
	int in_fd, out_fd; /* owned; may be the same */
	bool in_socket, out_socket;
	struct loop_source in_source, out_source; /* out_source only when the fds differ */
	struct buf in, out;
	struct bulk bulk; /* in the midst of out; refused where the stream cannot have it */
	bool nonblock;	  /* out_fd is, as bulk needs it */
	uint64_t sent;	  /* bytes that have gone out */
	uint64_t taken;	  /* frames that have come in */
	size_t narrow; /* read no more than that at a frame's beginning, to leave a large body where it is */
	bool greeting; /* what comes first is no frame yet, whatever it looks like */
	size_t body;   /* bytes in the stream that the owner takes from in_fd itself */
	bool ended;    /* the peer said end of file, or reading failed */
	bool broken;   /* writing failed: what is queued goes nowhere */
	int error;     /* the errno behind either, 0 for a plain end */
	struct loop_timer
		starved; /* armed: it does not read, as there is no memory for what is to come */
	void (*on_ready)(struct link *link, uint32_t ready);
};

/*
 * Takes ownership of the descriptors. on_ready says that link_read() or link_flush() has work.
 * out_max bounds what may be queued to go out, in bytes. Sockets are used as they are; other
 * descriptors must be non-blocking.
 */
void link_init(struct link *link, struct loop *loop, int in_fd, int out_fd, size_t out_max,
	       struct buf_spare *spare, void (*on_ready)(struct link *link, uint32_t ready));
void link_release(struct link *link);

/* Reads what is there, at most one read; sets ended at the end. Not while a body is to be taken. */
void link_read(struct link *link);

/* The next whole frame: 1, 0 for none yet, or -errno when framing is lost. */
int link_next(struct link *link, struct frame *ret_frame);
void link_done(struct link *link, const struct frame *frame);

/*
 * Queues bytes; of a large piece, what the peer takes at once goes out without having been
 * copied. 0, or -errno of the queue.
 */
int link_put(struct link *link, const uint8_t *data, size_t len);

/* Whether a frame has begun to come in, and is not whole. */
bool link_is_cut(const struct link *link);

/* Bytes that are queued to go out. */
size_t link_unsent(const struct link *link);

/* Writes what is queued until it is gone or the peer takes no more; sets broken on failure. */
void link_flush(struct link *link);

/*
 * Watches for input if read_more, else for the peer's going away if hear_hangup, and for room
 * while output is queued. Nothing more is read while a whole frame waits to be taken. Says whether
 * one waits although read_more: nothing that is watched will tell, so the owner looks again.
 */
bool link_watch(struct link *link, bool read_more, bool hear_hangup);

#endif
