/*
 * A client's connection to the daemon with jobs on it, all of them without a process: the ends of
 * pipes and sockets are the test's. Whoever stopped watching something must be woken by what makes
 * it want again, or the loop runs into its limit. For a test that includes job.c, whose inside it fills.
 */
#ifndef MSB_UNIT_WAKE_H
#define MSB_UNIT_WAKE_H

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/serve/dispatch.h"
#include "unit_budget.h"
#include "unit_loop.h"

#define NO_SUCH_PID 0x3fffffff
#define WAKE_REPLAY (64 * 1024) /* bytes that a kept session holds */
#define FULL	    (JOB_OUTPUT_LIMIT + PUMP_READ_MAX + 256 * 1024) /* then no frame is taken */

static struct job_host jobs;
static struct dispatch dispatch;

static inline void no_news(struct conn_host *unused)
{
	(void)unused;
}

static const struct conn_calls wake_calls = {.on_frame = dispatch_frame};

static inline int wake_set_up(void **state)
{
	signal(SIGPIPE, SIG_IGN);
	jobs = (struct job_host){.loop = &loop};
	dispatch = (struct dispatch){.conns = {.jobs = &jobs,
					       .budget = &unit_budget,
					       .calls = &wake_calls,
					       .on_closed = no_news},
				     .max_jobs = 100};
	if (unit_set_up(state))
		return 1;
	reaper_init(&jobs.reaper, &loop);
	jobs.keeper = (struct keeper){.keeps = true,
				      .host = {.loop = &loop,
					       .spare = &jobs.spare,
					       .activity = &jobs.activity,
					       .replay = WAKE_REPLAY,
					       .total.limit = 16 * 1024 * 1024,
					       .keep_ended_ms = 3600 * 1000},
				      .max = 100};
	keeper_init(&jobs.keeper);
	return 0;
}

static inline int wake_tear_down(void **state)
{
	conn_close_all(&dispatch.conns);
	job_free_all(&jobs);
	keeper_remove_all(&jobs.keeper);
	reaper_release(&jobs.reaper);
	buf_spare_release(&jobs.spare);
	return unit_tear_down(state);
}

/* What the client does: all that comes is read, in pieces, until enough of it has. */
struct reader {
	struct loop_source source;
	struct buf bytes;
	size_t piece, enough;
	void (*on_bytes)(struct reader *reader);
};

static inline void reader_read(struct loop_source *source, uint32_t ready)
{
	struct reader *reader = (struct reader *)((char *)source - offsetof(struct reader, source));
	uint8_t *space;
	ssize_t n;

	(void)ready;
	assert_int_equal(buf_reserve(&reader->bytes, reader->piece, &space), 0);
	n = read(source->fd, space, reader->piece);
	if (n <= 0)
		fail_msg("the stream ended after %zu bytes", buf_len(&reader->bytes));
	buf_commit(&reader->bytes, (size_t)n);
	if (reader->on_bytes)
		reader->on_bytes(reader);
	if (reader->enough && buf_len(&reader->bytes) >= reader->enough)
		loop_stop(&loop);
}

static inline void reader_start(struct reader *reader, int fd, size_t piece, size_t enough)
{
	*reader = (struct reader){.piece = piece, .enough = enough};
	buf_init(&reader->bytes, 64 * 1024 * 1024, NULL);
	loop_source_init(&reader->source, fd, reader_read);
	loop_want(&loop, &reader->source, LOOP_IN);
}

static inline void reader_stop(struct reader *reader)
{
	loop_remove(&loop, &reader->source);
	buf_release(&reader->bytes);
}

/* What the connection has to send already. */
static inline void put_bytes(struct conn *conn, size_t len)
{
	uint8_t *space;

	assert_int_equal(buf_reserve(&conn->link.out, len, &space), 0);
	memset(space, 0, len);
	buf_commit(&conn->link.out, len);
}

/* Reads the greeting away. */
static inline void skip_greeting(int fd)
{
	uint8_t waste[4096];

	assert_true(read(fd, waste, sizeof(waste)) > 8);
}

/* A client over two pipes: it writes to *ret_to, and reads from *ret_from. */
static inline struct conn *open_pipes(int *ret_to, int *ret_from)
{
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(pipe2(out, O_CLOEXEC | O_NONBLOCK), 0);
	assert_int_equal(conn_open(&dispatch.conns, in[0], out[1], &unit_peer), 0);
	*ret_to = in[1];
	*ret_from = out[0];
	skip_greeting(out[0]);
	return list_owner(dispatch.conns.conns.last, struct conn, in_host);
}

/* A client over a socket. */
static inline struct conn *open_socket(int *ret_fd)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair),
			 0);
	assert_int_equal(conn_open(&dispatch.conns, pair[0], pair[0], &unit_peer), 0);
	*ret_fd = pair[1];
	skip_greeting(pair[1]);
	return list_owner(dispatch.conns.conns.last, struct conn, in_host);
}

/* A command that runs, on these ends of its pipes; with a pty in_fd is out_fd. */
static inline struct job *add_job(struct conn *conn, uint32_t id, bool pty, int in_fd, int out_fd)
{
	struct job *job = calloc(1, sizeof(*job));

	assert_non_null(job);
	*job = (struct job){
		.host = &jobs,
		.pid = NO_SUCH_PID,
		.pid_fd = -1,
		.verdict_fd = -1,
		.linger_ms = UINT64_MAX,
		.session = {.verdict = SESSION_VERDICT_RUNS,
			    .done = SESSION_SEND_STARTED,
			    .on_disconnect = MSG_DISCONNECT_KEEP},
		.linger = {.on_due = on_linger},
		.limit = {.on_due = on_linger_limit},
		.parked = {.on_due = on_parked},
		.pid_source = {.fd = -1},
		.verdict_source = {.fd = -1},
	};
	pump_init(&job->pump, &loop, pty, in_fd, out_fd, -1, JOB_INPUT_WINDOW + FRAME_WIRE_MAX,
		  &jobs.spare);
	job->pump.on_output = on_output;
	job->pump.on_input = on_input;
	job->pump.on_rested = on_rested;
	list_append(&jobs.jobs, &job->of_host);
	jobs.job_count++;
	outlet_join(&conn->outlet, &job->member, id, &outlet_calls);
	watch_pump(job);
	return job;
}

/* A ping, as the client sends it. */
static inline void send_ping(int fd)
{
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put_empty(&out, 9, MSG_PING), 0);
	assert_int_equal(write(fd, buf_head(&out), buf_len(&out)), buf_len(&out));
	buf_release(&out);
}

static inline size_t pong_len(void)
{
	struct buf out;
	size_t len;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put_empty(&out, 9, MSG_PONG), 0);
	len = buf_len(&out);
	buf_release(&out);
	return len;
}

#endif
