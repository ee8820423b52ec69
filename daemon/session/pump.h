/*
 * The child's descriptors on one side, frames on the other: bytes for its stdin, bytes from its
 * stdout and stderr. Non-blocking throughout; the input that the child does not take waits in a
 * queue, the output waits in the child's own pipes.
 */
#ifndef MSB_PUMP_H
#define MSB_PUMP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "pace.h"
#include "shared/buf.h"
#include "shared/io/bulk.h"
#include "shared/io/loop.h"
#include "shared/wire/msg.h"

#define PUMP_READ_MAX (256 * 1024) /* bytes a turn and stream */

struct pump {
	struct loop *loop;
	bool pty;
	/* Owned; -1 closed; with a pty in_fd is out_fd; without err_fd out_fd may bring both outputs. */
	int in_fd, out_fd, err_fd;
	struct loop_source in_source, out_source, err_source;
	struct buf input;
	bool input_ended;	/* close stdin once the queue is empty */
	bool parked;		/* a pty that nobody has open at the moment: not watched */
	bool input_grown;	/* the pipe was made larger already */
	bool grown[2];		/* the pipe was made larger already */
	bool plenty[2];		/* the last read brought so much that moving pages pays */
	enum msg_stream served; /* last, so that the other is watched first */
	struct pace pace;
	struct loop_timer rest; /* armed: output is not read meanwhile, */
	enum msg_stream resting;
	bool paced; /* of that stream alone, by its own pace; else of both, for the sake of others */
	bool floods;						      /* it comes behind others */
	void (*on_output)(struct pump *pump, enum msg_stream stream); /* call pump_read() */
	void (*on_input)(struct pump *pump, int error); /* the queue moved; errno or 0 */
	void (*on_rested)(struct pump *pump); /* call pump_watch(): it may be read again */
};

/* Takes ownership of the descriptors. input_max bounds the queue of input, in bytes. */
void pump_init(struct pump *pump, struct loop *loop, bool pty, int in_fd, int out_fd, int err_fd,
	       size_t input_max, struct buf_spare *spare);
void pump_release(struct pump *pump);

/* Input for the child, at once or queued. 0, -EPIPE once stdin is closed or broken, -ENOBUFS. */
int pump_write(struct pump *pump, const uint8_t *data, size_t len);

/*
 * Input that is still in a socket, at most len bytes: moved to the child if it takes them, else
 * queued. Returns their number, 0 at the socket's end, -EAGAIN, -EPIPE as pump_write(), or another
 * -errno of the socket.
 */
ssize_t pump_move_input(struct pump *pump, int from_fd, size_t len);

/* Some of it got lost: the child is to get no more, and to see that it ends. */
void pump_break_input(struct pump *pump);

/* End of file behind what is queued. Without effect on a pty, as the wire has it. */
void pump_end_input(struct pump *pump);

/* Where the frames go: the end of a queue, and the pages in its midst. */
struct pump_sink {
	struct buf *frames;
	struct bulk *bulk;
	uint32_t id;
};

/* No output is read for so long, for the sake of others. */
void pump_rest(struct pump *pump, uint64_t us);

/*
 * What a stream has, at most max bytes of it, as a frame, or thrown away if sink is NULL.
 * Returns the number of bytes, 0 at the end of the stream, which is closed then, -EAGAIN, or
 * another -errno, after which the stream is closed too.
 */
ssize_t pump_read(struct pump *pump, enum msg_stream stream, size_t max,
		  const struct pump_sink *sink);

/* The same into that space. */
ssize_t pump_read_into(struct pump *pump, enum msg_stream stream, uint8_t *space, size_t len);

bool pump_is_open(const struct pump *pump, enum msg_stream stream);

/* The reader of a stream has gone away: the child's next write fails as it would locally. */
void pump_close_output(struct pump *pump, enum msg_stream stream);

/* What it brings is waited for: it is not to rest by its own pace. */
void pump_hasten(struct pump *pump);

/*
 * Watches the output if take_output, but one that brings plenty only if bulk is free to take it;
 * and for room while input is queued.
 */
void pump_watch(struct pump *pump, bool take_output, bool bulk_free);

#endif
