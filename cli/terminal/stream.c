/* msb-exec's own stdin, stdout and stderr: see stream.h. */
#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "term.h"

#define PIPE_LARGE (256 * 1024)

static void source_ready(struct loop_source *source, uint32_t ready)
{
	struct stream *stream = container_of(source, struct stream, source);

	(void)ready;
	stream->on_ready(stream);
}

void stream_init(struct stream *stream, struct loop *loop, int fd, size_t queue_max,
		 struct buf_spare *spare, void *owner, void (*on_ready)(struct stream *stream))
{
	*stream = (struct stream){
		.loop = loop, .fd = fd, .own_fd = -1, .owner = owner, .on_ready = on_ready};
	buf_init(&stream->queue, queue_max, spare);
	loop_source_init(&stream->source, fd, source_ready);
}

void stream_release(struct stream *stream)
{
	loop_remove(stream->loop, &stream->source);
	fd_close(&stream->own_fd);
	buf_release(&stream->queue);
}

/* Finds out how to use the stream, at its first use. */
static void classify(struct stream *stream, int flags)
{
	struct stat st;

	if (stream->kind != STREAM_UNKNOWN)
		return;
	/* What could not be looked at may be one that blocks. */
	stream->kind = STREAM_POLLED;
	if (fstat(stream->fd, &st) < 0)
		return;
	stream->is_pipe = S_ISFIFO(st.st_mode);
	stream->is_terminal = S_ISCHR(st.st_mode) && isatty(stream->fd);
	if (!stream->is_pipe && !stream->is_terminal) {
		stream->kind = S_ISSOCK(st.st_mode) ? STREAM_SOCKET : STREAM_FILE;
		return;
	}
	stream->own_fd = fd_reopen_nonblock(stream->fd, flags);
	if (stream->own_fd < 0)
		return;
	/*
	 * Readiness is still that of the inherited one: a named pipe that was opened after its last
	 * writer had gone is never reported as hung up.
	 */
	stream->kind = STREAM_REOPENED;
	stream->fd = stream->own_fd;
}

void stream_watch_input(struct stream *stream, bool wanted)
{
	loop_want(stream->loop, &stream->source, wanted && !stream->gone ? LOOP_IN : 0);
}

void stream_watch_output(struct stream *stream, bool wanted)
{
	wanted |= buf_len(&stream->queue) > 0;
	loop_want(stream->loop, &stream->source, wanted && !stream->gone ? LOOP_OUT : 0);
}

static bool can_use(int fd, short events)
{
	struct pollfd one = {.fd = fd, .events = events};

	return poll(&one, 1, 0) > 0;
}

ssize_t stream_read(struct stream *stream, void *space, size_t len)
{
	ssize_t n;

	classify(stream, O_RDONLY);
	if (stream->kind == STREAM_POLLED && !can_use(stream->fd, POLLIN))
		return -EAGAIN;
	do {
		n = stream->kind == STREAM_SOCKET ? recv(stream->fd, space, len, MSG_DONTWAIT)
						  : read(stream->fd, space, len);
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return n;
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	stream->gone = true;
	/* A terminal that hung up, or whose foreground we can never be again, is at its end. */
	stream->error = n < 0 && !(errno == EIO && stream->is_terminal) ? errno : 0;
	return 0;
}

/* Bytes written, or -errno; -EAGAIN when nothing can be written now. */
static ssize_t write_some(struct stream *stream, const void *data, size_t len)
{
	ssize_t n;

	if (stream->kind == STREAM_POLLED) {
		if (!can_use(stream->fd, POLLOUT))
			return -EAGAIN;
		/* As much as a pipe that is ready is sure to take without blocking. */
		if (len > PIPE_BUF)
			len = PIPE_BUF;
	}
	do {
		n = stream->kind == STREAM_SOCKET
			    ? send(stream->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL)
			    : write(stream->fd, data, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/*
 * A signal may end us as soon as it is in the terminal, before the write has returned: until then what may
 * be on is noted, since undoing too much does no harm.
 */
static void note_modes(const struct stream *stream, const uint8_t *data, size_t len)
{
	struct modes after = *stream->modes;

	modes_watch(&after, data, len);
	if (after.on & ~stream->modes->on)
		term_note_modes(stream->fd, stream->modes->on | after.on);
}

/* What reached the terminal, and only that, is on in it. */
static void take_modes(const struct stream *stream, const uint8_t *data, size_t len)
{
	modes_watch(stream->modes, data, len);
	term_note_modes(stream->fd, stream->modes->on);
}

/* Writes until done or no more is taken; returns how much went out. */
static size_t write_all(struct stream *stream, const uint8_t *data, size_t len)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n;

		if (stream->modes)
			note_modes(stream, data + done, len - done);
		n = write_some(stream, data + done, len - done);
		if (stream->modes)
			take_modes(stream, data + done, n > 0 ? (size_t)n : 0);
		if (n == -EAGAIN)
			break;
		if (n < 0) {
			stream->gone = true;
			stream->error = (int)-n;
			break;
		}
		done += (size_t)n;
	}
	return done;
}

int stream_write(struct stream *stream, const void *data, size_t len)
{
	size_t done = 0;

	if (stream->gone)
		return 0;
	classify(stream, O_WRONLY);
	if (!buf_len(&stream->queue))
		done = write_all(stream, data, len);
	if (stream->gone || done == len)
		return 0;
	return buf_append(&stream->queue, (const uint8_t *)data + done, len - done);
}

void stream_look(struct stream *stream)
{
	struct pollfd one = {.events = 0};

	classify(stream, O_WRONLY);
	if (stream->gone || (!stream->is_pipe && stream->kind != STREAM_SOCKET))
		return;
	one.fd = stream->fd;
	if (poll(&one, 1, 0) > 0 && one.revents & (POLLERR | POLLHUP)) {
		stream->gone = true;
		stream->error = EPIPE;
	}
}

bool stream_can_splice(struct stream *stream)
{
	if (stream->gone || buf_len(&stream->queue))
		return false;
	classify(stream, O_WRONLY);
	return stream->is_pipe;
}

bool stream_has_room(const struct stream *stream)
{
	return can_use(stream->fd, POLLOUT);
}

void stream_widen(struct stream *stream)
{
	if (stream->widened)
		return;
	stream->widened = true;
	/* Over the user's limit it stays as it is. */
	fcntl(stream->fd, F_SETPIPE_SZ, PIPE_LARGE);
}

ssize_t stream_splice(struct stream *stream, int from_fd, size_t len)
{
	ssize_t n;

	stream_widen(stream);
	do {
		n = splice(from_fd, NULL, stream->fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	} while (n < 0 && errno == EINTR);
	if (n >= 0 || errno == EAGAIN)
		return n < 0 ? -EAGAIN : n;
	if (errno == EPIPE) {
		stream->gone = true;
		stream->error = EPIPE;
		return -EPIPE;
	}
	/* A filter forbids the call, or the socket is of a kind that cannot. */
	stream->is_pipe = false;
	return -EOPNOTSUPP;
}

bool stream_waits_for_terminal(const struct stream *stream)
{
	return buf_len(&stream->queue) && stream->is_terminal;
}

void stream_failure(const struct stream *stream, const char *which, char *out, size_t len)
{
	snprintf(out, len, "cannot write standard %s: %s", which, strerror(stream->error));
}

bool stream_complain(struct stream *stream, const char *which)
{
	char words[128];

	if (stream->told || !stream->gone || stream->error == EPIPE)
		return false;
	stream->told = true;
	stream_failure(stream, which, words, sizeof(words));
	log_error("%s", words);
	return true;
}

void stream_flush(struct stream *stream)
{
	size_t done;

	if (!buf_len(&stream->queue))
		return;
	done = write_all(stream, buf_head(&stream->queue), buf_len(&stream->queue));
	buf_consume(&stream->queue, stream->gone ? buf_len(&stream->queue) : done);
}

void stream_drain(struct stream *stream, uint64_t within_ms)
{
	uint64_t due = loop_now_ms() + within_ms, now;

	while (buf_len(&stream->queue) && !stream->gone && (now = loop_now_ms()) < due) {
		struct pollfd room = {.fd = stream->fd, .events = POLLOUT};

		if (poll(&room, 1, (int)(due - now)) > 0)
			stream_flush(stream);
	}
}

void stream_keep_line(struct stream *stream)
{
	size_t len = buf_len(&stream->queue);
	const uint8_t *end = len ? memchr(buf_head(&stream->queue), '\n', len) : NULL;

	if (end)
		buf_truncate(&stream->queue, (size_t)(end + 1 - buf_head(&stream->queue)));
}

void stream_abandon(struct stream *stream)
{
	int null_fd;

	loop_remove(stream->loop, &stream->source);
	fd_close(&stream->own_fd);
	stream->gone = true;
	null_fd = fd_open_null(O_RDONLY | O_CLOEXEC);
	if (null_fd >= 0)
		dup2(null_fd, STDIN_FILENO);
	fd_close(&null_fd);
}
