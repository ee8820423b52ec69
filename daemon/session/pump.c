/* The child's descriptors on one side, frames on the other: see pump.h. */
#include "pump.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"

#define PIPE_DEFAULT (64 * 1024)
#define PIPE_LARGE   (1024 * 1024)
#define MUCH	     (16 * 1024) /* bytes at a time, after which one comes behind the others */
#define PTY_TURN     (16 * 1024) /* bytes of a terminal, which gives 4 KiB at most at a time */
#define PTY_MORE     256	 /* a read of less was all that there is */

/* ---- rests: see pace.h ---- */

/* What the child may write in one without having to wait. */
static size_t rest_room(const struct pump *pump)
{
	return pump->pty ? 4096 : PIPE_DEFAULT / 2;
}

static bool rests(const struct pump *pump, enum msg_stream stream)
{
	return pump->rest.armed && (!pump->paced || pump->resting == stream);
}

void pump_hasten(struct pump *pump)
{
	pace_reset(&pump->pace);
	if (!pump->rest.armed || !pump->paced)
		return;
	pump->paced = false;
	loop_arm(pump->loop, &pump->rest, 0);
}

/* What came in its own rest is read at once; who rested for others waits for his turn. */
static void on_rested(struct loop_timer *timer)
{
	struct pump *pump = container_of(timer, struct pump, rest);

	if (!pump->paced) {
		pump->on_rested(pump);
		return;
	}
	pace_rested(&pump->pace);
	pump->on_output(pump, pump->resting);
	pace_settle(&pump->pace);
}

void pump_rest(struct pump *pump, uint64_t us)
{
	pump->paced = false;
	loop_arm_us(pump->loop, &pump->rest, us);
}

static void keep_pace(struct pump *pump, enum msg_stream stream, size_t len)
{
	uint64_t now_us = loop_now_us();

	pump->floods = pace_floods(&pump->pace, len, now_us);
	if (!pace_rests(&pump->pace, (int)stream, len, rest_room(pump), now_us))
		return;
	pump_rest(pump, PACE_REST_US);
	pump->paced = true;
	pump->resting = stream;
}

/* ---- the child's side ---- */

/* The input of a pty goes with its output. */
static void close_input(struct pump *pump)
{
	if (pump->pty)
		return;
	loop_remove(pump->loop, &pump->in_source);
	fd_close(&pump->in_fd);
}

/* Empties the queue of input as far as the child takes it. */
static void write_input(struct pump *pump)
{
	int error = 0;

	while (buf_len(&pump->input)) {
		ssize_t n = write(pump->in_fd, buf_head(&pump->input), buf_len(&pump->input));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			error = errno;
			buf_consume(&pump->input, buf_len(&pump->input));
			break;
		}
		/* Room again, and at once a lot is taken: a reader faster than our turns. */
		if (n >= PIPE_DEFAULT / 2 && !pump->pty && !pump->input_grown) {
			pump->input_grown = true;
			fcntl(pump->in_fd, F_SETPIPE_SZ, PIPE_LARGE);
		}
		buf_consume(&pump->input, (size_t)n);
	}
	if (error || (pump->input_ended && !buf_len(&pump->input)))
		close_input(pump);
	pump->on_input(pump, error);
}

static void in_ready(struct loop_source *source, uint32_t ready)
{
	(void)ready;
	write_input(container_of(source, struct pump, in_source));
}

static void on_stream(struct pump *pump, enum msg_stream stream)
{
	/* What the other brought came before this. */
	if (pump->rest.armed) {
		loop_disarm(pump->loop, &pump->rest);
		pump->on_output(pump, pump->resting);
	}
	pump->on_output(pump, stream);
}

static void out_ready(struct loop_source *source, uint32_t ready)
{
	struct pump *pump = container_of(source, struct pump, out_source);

	if ((ready & LOOP_OUT) && buf_len(&pump->input))
		write_input(pump);
	if (ready & LOOP_IN)
		on_stream(pump, MSG_STREAM_STDOUT);
}

static void err_ready(struct loop_source *source, uint32_t ready)
{
	struct pump *pump = container_of(source, struct pump, err_source);

	(void)ready;
	on_stream(pump, MSG_STREAM_STDERR);
}

void pump_init(struct pump *pump, struct loop *loop, bool pty, int in_fd, int out_fd, int err_fd,
	       size_t input_max, struct buf_spare *spare)
{
	pump->loop = loop;
	pump->pty = pty;
	pump->in_fd = in_fd;
	pump->out_fd = out_fd;
	pump->err_fd = err_fd;
	buf_init(&pump->input, input_max, spare);
	loop_source_init(&pump->in_source, pty ? -1 : in_fd, in_ready);
	loop_source_init(&pump->out_source, out_fd, out_ready);
	loop_source_init(&pump->err_source, err_fd, err_ready);
	pump->rest.on_due = on_rested;
}

void pump_close_output(struct pump *pump, enum msg_stream stream)
{
	if (stream == MSG_STREAM_STDERR) {
		loop_remove(pump->loop, &pump->err_source);
		fd_close(&pump->err_fd);
		return;
	}
	loop_remove(pump->loop, &pump->out_source);
	if (pump->pty) {
		pump->in_fd = -1;
		buf_release(&pump->input);
	}
	fd_close(&pump->out_fd);
}

void pump_release(struct pump *pump)
{
	loop_disarm(pump->loop, &pump->rest);
	close_input(pump);
	pump_close_output(pump, MSG_STREAM_STDOUT);
	pump_close_output(pump, MSG_STREAM_STDERR);
	buf_release(&pump->input);
}

int pump_write(struct pump *pump, const uint8_t *data, size_t len)
{
	ssize_t n = 0;

	pump_hasten(pump);
	if (pump->in_fd < 0)
		return pump->input_ended ? 0 : -EPIPE;
	/* What comes after end of file is dropped without a word, as the reference does. */
	if (pump->input_ended)
		return 0;
	if (!buf_len(&pump->input)) {
		n = write(pump->in_fd, data, len);
		if (n < 0 && errno != EAGAIN && errno != EINTR) {
			int r = -errno;

			close_input(pump);
			return r;
		}
		if (n < 0)
			n = 0;
	}
	if ((size_t)n == len)
		return 0;
	return buf_append(&pump->input, data + n, len - (size_t)n);
}

static ssize_t queue_input(struct pump *pump, int from_fd, size_t len)
{
	uint8_t *space;
	ssize_t n;

	if (len > PIPE_DEFAULT)
		len = PIPE_DEFAULT;
	if (buf_reserve(&pump->input, len, &space) < 0)
		return -ENOBUFS;
	n = recv(from_fd, space, len, MSG_DONTWAIT);
	if (n > 0)
		buf_commit(&pump->input, (size_t)n);
	else
		buf_settle(&pump->input);
	return n < 0 ? -errno : n;
}

ssize_t pump_move_input(struct pump *pump, int from_fd, size_t len)
{
	ssize_t n;

	pump_hasten(pump);
	if (pump->in_fd < 0)
		return -EPIPE;
	/* A terminal takes nothing from a pipe or a socket but by a write. */
	if (pump->pty || buf_len(&pump->input))
		return queue_input(pump, from_fd, len);
	n = splice(from_fd, NULL, pump->in_fd, NULL, len, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	if (n >= 0)
		return n;
	if (errno == EPIPE) {
		close_input(pump);
		return -EPIPE;
	}
	/* One of them has nothing or takes nothing, or this cannot be moved. */
	return queue_input(pump, from_fd, len);
}

void pump_break_input(struct pump *pump)
{
	buf_consume(&pump->input, buf_len(&pump->input));
	close_input(pump);
}

void pump_end_input(struct pump *pump)
{
	if (pump->pty || pump->in_fd < 0)
		return;
	pump->input_ended = true;
	if (!buf_len(&pump->input))
		close_input(pump);
}

bool pump_is_open(const struct pump *pump, enum msg_stream stream)
{
	return (stream == MSG_STREAM_STDERR ? pump->err_fd : pump->out_fd) >= 0;
}

static ssize_t read_fd(int fd, uint8_t *space, size_t len)
{
	ssize_t n;

	do {
		n = read(fd, space, len);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

/* The kernel fills it again while we read. Why there is no more, the next read tells. */
static ssize_t read_pty(int fd, uint8_t *space, size_t len)
{
	size_t have = 0;
	ssize_t n;

	do {
		n = read_fd(fd, space + have, len - have);
		have += n > 0 ? (size_t)n : 0;
	} while (n >= PTY_MORE && have < PTY_TURN && have < len);
	return have ? (ssize_t)have : n;
}

static ssize_t read_stream(const struct pump *pump, int fd, uint8_t *space, size_t len)
{
	return pump->pty ? read_pty(fd, space, len) : read_fd(fd, space, len);
}

static ssize_t read_away(int fd)
{
	uint8_t waste[16 * 1024];

	return read_fd(fd, waste, sizeof(waste));
}

/* A frame whose bytes are copied to the queue. */
static ssize_t read_frame(const struct pump *pump, int fd, enum msg_type type, size_t max,
			  const struct pump_sink *sink)
{
	struct buf *frames = sink->frames;
	uint8_t *space;
	ssize_t n;
	int r = msg_data_begin(frames, max, &space);

	if (r < 0)
		/* No memory just now: the bytes are safe in the pipe. */
		return -EAGAIN;
	n = read_stream(pump, fd, space, max);
	if (n > 0)
		msg_data_end(frames, sink->id, type, (size_t)n);
	else
		buf_settle(frames);
	return n;
}

/* A frame whose pages are moved, if that is possible now. */
static ssize_t move_frame(int fd, enum msg_type type, size_t max, const struct pump_sink *sink)
{
	ssize_t n;

	/* Room for the head first: what has been moved cannot go back. */
	if (buf_reserve(sink->frames, MSG_DATA_HEAD_MAX, &(uint8_t *){NULL}) < 0)
		return -EAGAIN;
	n = bulk_fill(sink->bulk, fd, max);
	if (n > 0) {
		msg_data_head(sink->frames, sink->id, type, (size_t)n);
		sink->bulk->before = buf_len(sink->frames);
	} else {
		buf_settle(sink->frames);
	}
	return n;
}

static ssize_t take_frame(struct pump *pump, enum msg_stream stream, int fd, size_t max,
			  const struct pump_sink *sink)
{
	enum msg_type type = stream == MSG_STREAM_STDERR ? MSG_EXEC_STDERR : MSG_EXEC_STDOUT;
	size_t read_max = pump->pty ? 2 * PTY_TURN : PUMP_READ_MAX;
	ssize_t n = -EOPNOTSUPP;

	if (pump->plenty[stream] && !sink->bulk->refused)
		n = sink->bulk->len ? -EAGAIN : move_frame(fd, type, max, sink);
	if (n == -EAGAIN)
		return n;
	if (n == -EOPNOTSUPP)
		n = read_frame(pump, fd, type, max < read_max ? max : read_max, sink);
	/* A full pipe: its writer is faster than our turns. Fails harmlessly over the user's limit.
	 */
	if (n >= PIPE_DEFAULT && !pump->pty && !pump->grown[stream]) {
		pump->grown[stream] = true;
		fcntl(fd, F_SETPIPE_SZ, PIPE_LARGE);
	}
	pump->plenty[stream] = n >= PIPE_DEFAULT && !pump->pty;
	return n;
}

/* n is what reading it brought: its end closes it. */
static ssize_t took(struct pump *pump, enum msg_stream stream, ssize_t n)
{
	if (n == -EAGAIN)
		return n;
	/* A pty says EIO while nobody has its other side open; the owner knows if that is the end.
	 */
	if (n == -EIO && pump->pty)
		return n;
	if (n <= 0)
		pump_close_output(pump, stream);
	else
		keep_pace(pump, stream, (size_t)n);
	/* Both, or the one that is not would overtake the other. */
	pump->out_source.late = pump->err_source.late = pump->floods || n >= MUCH;
	pump->served = stream;
	return n;
}

ssize_t pump_read(struct pump *pump, enum msg_stream stream, size_t max,
		  const struct pump_sink *sink)
{
	int fd = stream == MSG_STREAM_STDERR ? pump->err_fd : pump->out_fd;

	if (fd < 0)
		return 0;
	return took(pump, stream, sink ? take_frame(pump, stream, fd, max, sink) : read_away(fd));
}

ssize_t pump_read_into(struct pump *pump, enum msg_stream stream, uint8_t *space, size_t len)
{
	int fd = stream == MSG_STREAM_STDERR ? pump->err_fd : pump->out_fd;

	return fd < 0 ? 0 : took(pump, stream, read_stream(pump, fd, space, len));
}

static bool takes(const struct pump *pump, enum msg_stream stream, bool bulk_free)
{
	return !rests(pump, stream) && (bulk_free || !pump->plenty[stream]);
}

void pump_watch(struct pump *pump, bool take_output, bool bulk_free)
{
	uint32_t in = buf_len(&pump->input) ? LOOP_OUT : 0;
	uint32_t any = take_output && !pump->parked ? LOOP_IN : 0;
	uint32_t out = takes(pump, MSG_STREAM_STDOUT, bulk_free) ? any : 0;
	uint32_t err = takes(pump, MSG_STREAM_STDERR, bulk_free) ? any : 0;

	loop_want(pump->loop, &pump->in_source, in);
	if (pump->served == MSG_STREAM_STDOUT)
		loop_want(pump->loop, &pump->err_source, err);
	loop_want(pump->loop, &pump->out_source, pump->pty && !pump->parked ? in | out : out);
	if (pump->served != MSG_STREAM_STDOUT)
		loop_want(pump->loop, &pump->err_source, err);
}
