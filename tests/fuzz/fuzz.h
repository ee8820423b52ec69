/*
 * What the fuzz targets share: claims that hold for every input, and the far end of a connection,
 * which sends the input in pieces and looks at what it is answered.
 */
#ifndef MSB_FUZZ_H
#define MSB_FUZZ_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/io/loop.h"
#include "shared/wire/msg.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A broken promise ends the run as a crash does, whatever the flags of the compiler. */
#define CLAIM(condition)                                                                        \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/* One struct for whatever msg_decode() fills. */
union fuzz_any {
	struct msg_ready ready;
	struct msg_exec_request request;
	struct msg_exec_started started;
	struct msg_exec_failed failed;
	struct msg_exec_exited exited;
	struct msg_stdin_error stdin_error;
	struct msg_exec_resize resize;
	struct msg_exec_signal signal;
	struct msg_output_close output_close;
	struct msg_credit credit;
	struct msg_data data;
	struct msg_error error;
	struct msg_bootstrap bootstrap;
	struct msg_session_list list;
	struct msg_session_entry entry;
	struct msg_session_attach attach;
	struct msg_session_attached attached;
	struct msg_session_skipped skipped;
	struct msg_session_detach detach;
	struct msg_session_refused refused;
	struct msg_session_detached detached;
	struct msg_session_signal session_signal;
	struct msg_session_remove remove;
};

/* A copy in memory of exactly its size, so that one byte too many is seen. Freed by the caller. */
static inline uint8_t *fuzz_copy(const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	CLAIM(copy);
	if (len)
		memcpy(copy, data, len);
	return copy;
}

struct fuzz_peer {
	struct loop *loop;
	struct loop_source source;
	int fd;		       /* owned */
	const uint8_t *unsent; /* borrowed */
	size_t left, piece;
	bool stays; /* when all is sent, it is not the end */
	struct buf heard;
	/* What came; may be NULL. Takes from heard what it has looked at. */
	void (*on_heard)(struct fuzz_peer *peer);
	/* A frame that fuzz_check_frames() found to be right, and its payload; may be NULL. */
	void (*on_frame)(struct fuzz_peer *peer, const struct frame *frame, enum msg_type type,
			 union fuzz_any *any);
};

static inline void fuzz_peer_read(struct fuzz_peer *peer)
{
	uint8_t *space;
	ssize_t n;

	CLAIM(buf_reserve(&peer->heard, 65536, &space) == 0);
	n = read(peer->fd, space, 65536);
	if (n > 0) {
		buf_commit(&peer->heard, (size_t)n);
		if (peer->on_heard)
			peer->on_heard(peer);
		else
			buf_consume(&peer->heard, buf_len(&peer->heard));
	} else if (n == 0 || errno != EAGAIN) {
		loop_want(peer->loop, &peer->source, 0);
	}
	buf_settle(&peer->heard);
}

static inline void fuzz_peer_on_ready(struct loop_source *source, uint32_t ready)
{
	struct fuzz_peer *peer =
		(struct fuzz_peer *)((char *)source - offsetof(struct fuzz_peer, source));
	size_t len = peer->left < peer->piece ? peer->left : peer->piece;
	ssize_t n;

	if ((ready & LOOP_OUT) && peer->unsent) {
		n = send(peer->fd, peer->unsent, len, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0) {
			peer->unsent += n;
			peer->left -= (size_t)n;
		}
		if (!peer->left || (n < 0 && errno != EAGAIN)) {
			peer->unsent = NULL;
			if (!peer->stays)
				shutdown(peer->fd, SHUT_WR);
			loop_want(peer->loop, source, LOOP_IN);
		}
	}
	if (ready & LOOP_IN)
		fuzz_peer_read(peer);
}

/* Sends data in pieces of that size and then its end. *ret_fd is the other end, the caller's. */
static inline void fuzz_peer_open(struct fuzz_peer *peer, struct loop *loop, const uint8_t *data,
				  size_t len, size_t piece, int *ret_fd)
{
	int pair[2];

	CLAIM(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	*peer = (struct fuzz_peer){.loop = loop,
				   .fd = pair[0],
				   .unsent = data,
				   .left = len,
				   .piece = piece ? piece : 1};
	buf_init(&peer->heard, FRAME_WIRE_MAX + 65536, NULL);
	loop_source_init(&peer->source, peer->fd, fuzz_peer_on_ready);
	loop_want(loop, &peer->source, LOOP_IN | LOOP_OUT);
	*ret_fd = pair[1];
}

static inline void fuzz_peer_close(struct fuzz_peer *peer)
{
	loop_remove(peer->loop, &peer->source);
	close(peer->fd);
	buf_release(&peer->heard);
}

/* What our programs say must be whole frames of known types with the right flags. */
static inline void fuzz_check_frames(struct fuzz_peer *peer)
{
	struct buf *heard = &peer->heard;
	struct msg_envelope envelope;
	union fuzz_any any;
	struct frame frame;
	size_t missing;
	int r;

	while ((r = frame_next(heard, &frame, &missing)) > 0) {
		CLAIM(msg_open(&frame, &envelope) == 0);
		CLAIM(envelope.type != MSG_UNKNOWN && envelope.v == MSG_GENERATION);
		CLAIM(frame.flags == msg_flags(envelope.type));
		CLAIM(msg_decode(envelope.type, envelope.payload, &any) == 0);
		if (peer->on_frame)
			peer->on_frame(peer, &frame, envelope.type, &any);
		buf_consume(heard, frame.wire_len);
	}
	CLAIM(r == 0);
}

#endif
