/*
 * msb-exec's own stdin, stdout and stderr, without ever blocking and without changing the flags
 * of what others may share: pipes and terminals are opened once more, sockets have their own
 * way, files never block, and for the rest poll says what can be done.
 */
#ifndef MSB_STREAM_H
#define MSB_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "shared/buf.h"
#include "shared/io/loop.h"
#include "shared/modes.h"

enum stream_kind {
	STREAM_UNKNOWN, /* not used yet: most commands read nothing and print little */
	STREAM_FILE,	/* a file, a plain device: never blocks for long */
	STREAM_SOCKET,
	STREAM_REOPENED, /* a pipe or terminal, opened once more, non-blocking */
	STREAM_POLLED,	 /* a pipe or terminal that could not be reopened */
};

struct stream {
	struct loop *loop;
	int fd;	    /* what to read or write; inherited or ours */
	int own_fd; /* what the reopening gave; owned, or -1 */
	enum stream_kind kind;
	struct loop_source source;
	struct buf queue; /* output that the reader has not taken yet */
	bool is_pipe, is_terminal;
	bool widened; /* the pipe was made larger already */
	bool gone;    /* output: nobody reads it; input: at its end or given up */
	int error;    /* why, an errno, or 0 for a plain end */
	bool told;    /* stream_complain() has said so */
	void *owner;
	void (*on_ready)(struct stream *stream);
	struct modes *modes; /* output, not owned: what was printed has left on there; or NULL */
};

void stream_init(struct stream *stream, struct loop *loop, int fd, size_t queue_max,
		 struct buf_spare *spare, void *owner, void (*on_ready)(struct stream *stream));
void stream_release(struct stream *stream);

/* Watches the stream for input; or for room, if it has queued output or if wanted. */
void stream_watch_input(struct stream *stream, bool wanted);
void stream_watch_output(struct stream *stream, bool wanted);

/* Reads up to len bytes: their number, 0 at the end (gone is set), or -EAGAIN. */
ssize_t stream_read(struct stream *stream, void *space, size_t len);

/* Writes what is possible and queues the rest; sets gone when the reader is. 0 or -errno. */
int stream_write(struct stream *stream, const void *data, size_t len);

/* Sets gone when the reader is, of an output that is written to only later. */
void stream_look(struct stream *stream);

/*
 * Moves up to len bytes from a socket to an output that is a pipe: their number, 0 at the socket's
 * end, -EAGAIN, -EOPNOTSUPP where that cannot be done; sets gone when the reader is.
 */
ssize_t stream_splice(struct stream *stream, int from_fd, size_t len);

/* Whether stream_splice() may be tried: a pipe, with nothing queued before. */
bool stream_can_splice(struct stream *stream);

/* Makes the pipe large, once: much goes through it. */
void stream_widen(struct stream *stream);

/* Whether an output takes anything now. */
bool stream_has_room(const struct stream *stream);

/* Whether what is queued is for a terminal. */
bool stream_waits_for_terminal(const struct stream *stream);

/*
 * Says once, of an output that was given up for another reason than that nobody reads it, why. Whether
 * it was said now; which is "output" or "error".
 */
bool stream_complain(struct stream *stream, const char *which);

/* The same words, of an output that was given up. */
void stream_failure(const struct stream *stream, const char *which, char *out, size_t len);

/* Writes from the queue what is possible now. */
void stream_flush(struct stream *stream);

/* The same, and for up to so long what was not possible at once. */
void stream_drain(struct stream *stream, uint64_t within_ms);

/* Of what is queued all goes but its first line, or the rest of one. */
void stream_keep_line(struct stream *stream);

/* Lets go of an input for good, so that its writer learns that nobody reads any more. */
void stream_abandon(struct stream *stream);

#endif
