/*
 * A job and its client: the outlet that a client's jobs share; what the command writes becomes
 * frames in it, what the client sends goes to the command; and how long the output is waited for
 * after the leader's end.
 */
#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "job_inside.h"
#include "pty.h"

#define FORCED_LINGER_MS 500 /* for a forced end that waits for ever, or that nobody may put off */
#define PARKED_LOOK_MS	 50  /* how often to look at a pty that nobody has open */
#define LINGERS		 20  /* after a normal end, this many lingers at most, silence or not */
#define BEHIND_LOOK_MS	 50  /* how often to look whether a client has caught up */
#define PTY_TAIL	 (128 * 1024) /* more than a terminal holds, in bytes */

/* ---- the outlet ---- */

static struct job **bucket(struct job_outlet *outlet, uint32_t id)
{
	return &outlet->jobs[id % (ARRAY_LEN(outlet->jobs))];
}

struct job *job_find(const struct job_outlet *outlet, uint32_t id)
{
	struct job *job = *bucket((struct job_outlet *)outlet, id);

	while (job && job->id != id)
		job = job->next_of_outlet;
	return job;
}

static void set_stalled(struct job *job, bool stalled)
{
	if (!job->outlet || job->stalled == stalled)
		return;
	job->stalled = stalled;
	job->outlet->stalled += stalled ? 1 : -1u;
	loop_mark(job->host->loop, job->outlet->flush);
}

/* ---- turns: what had to wait is looked at again in the order in which it was last served ---- */

static void leave_turns(struct job *job)
{
	*(job->earlier ? &job->earlier->later : &job->outlet->next_turn) = job->later;
	*(job->later ? &job->later->earlier : &job->outlet->last_turn) = job->earlier;
}

static void join_turns(struct job *job)
{
	job->later = NULL;
	job->earlier = job->outlet->last_turn;
	*(job->earlier ? &job->earlier->later : &job->outlet->next_turn) = job;
	job->outlet->last_turn = job;
}

void job_detach(struct job *job)
{
	struct job **at;

	if (!job->outlet)
		return;
	set_stalled(job, false);
	at = bucket(job->outlet, job->id);
	while (*at != job)
		at = &(*at)->next_of_outlet;
	*at = job->next_of_outlet;
	leave_turns(job);
	loop_disarm(job->host->loop, &job->linger);
	loop_disarm(job->host->loop, &job->limit);
	job->outlet = NULL;
	/* Nobody is left who could send any. */
	pump_end_input(&job->pump);
}

void job_attach(struct job *job, struct job_outlet *outlet)
{
	struct job **first = bucket(outlet, job->id);

	job->outlet = outlet;
	job->next_of_outlet = *first;
	*first = job;
	join_turns(job);
}

void job_lose_client(struct job_outlet *outlet)
{
	for (size_t i = 0; i < ARRAY_LEN(outlet->jobs); i++)
		while (outlet->jobs[i])
			job_happen(outlet->jobs[i], SESSION_CLIENT_GONE);
}

static struct job *find_in_range(struct job *job, uint32_t start, uint32_t end)
{
	while (job && (job->id < start || job->id >= end))
		job = job->next_of_outlet;
	return job;
}

void job_lose_ids(struct job_outlet *outlet, uint32_t start, uint32_t end)
{
	for (size_t i = 0; i < ARRAY_LEN(outlet->jobs); i++) {
		struct job *job;

		while ((job = find_in_range(outlet->jobs[i], start, end)))
			job_happen(job, SESSION_CLIENT_GONE);
	}
}

/* A frame was put for the client; without room for it the connection is beyond help. */
void job_told(struct job *job, int result)
{
	if (result < 0)
		log_warn("session %u: cannot queue a frame: %s", job->id, strerror(-result));
	job->host->activity++;
	loop_mark(job->host->loop, job->outlet->flush);
}

static bool all_is_sent(const struct job_outlet *outlet)
{
	return !buf_len(outlet->frames) && !outlet->bulk->len;
}

/* Queued frames at which output waits. */
static size_t output_limit(const struct job *job)
{
	return buf_spare_is_short(&job->host->spare) ? JOB_SHORT : JOB_OUTPUT_LIMIT;
}

/* How much output may be read now: what the queue and the client's credit let in. */
static size_t room(const struct job *job)
{
	if (!job->outlet)
		return BULK_MAX;
	/* Nothing comes before started: a terminal echoes what is typed to a command that is none yet. */
	if (job->session.verdict == SESSION_VERDICT_NONE ||
	    buf_len(job->outlet->frames) >= output_limit(job))
		return 0;
	return credit_room(&job->output,
			   buf_spare_is_short(&job->host->spare) ? JOB_SHORT : BULK_MAX);
}

/* Input that the command does not take holds up its client, unless that counts credit. */
static void derive_stall(struct job *job)
{
	size_t waiting = buf_len(&job->pump.input);

	/* Who counts credit stays below its window by itself, or is stalled like the others. */
	set_stalled(job,
		    job->input.window ? waiting > job->input.window : waiting >= JOB_INPUT_LIMIT);
}

void job_watch_pump(struct job *job)
{
	struct job_outlet *outlet = job->outlet;
	bool full = outlet && buf_len(outlet->frames) >= output_limit(job);
	bool bulk_free = !outlet || !outlet->bulk->len;

	if (full || !bulk_free)
		outlet->awaited = true;
	pump_watch(&job->pump, room(job) > 0, bulk_free);
	derive_stall(job);
}

/* ---- output ---- */

static bool output_is_open(const struct job *job)
{
	return pump_is_open(&job->pump, MSG_STREAM_STDOUT) ||
	       pump_is_open(&job->pump, MSG_STREAM_STDERR);
}

static bool is_forced(const struct job *job)
{
	return job->session.ending;
}

/* Whether others alone hold the output, and nobody waits for its end without a bound. */
static bool waits_for_silence(const struct job *job)
{
	return (job->linger_ms != UINT64_MAX || is_forced(job)) && job->session.leader_ended &&
	       !session_is_reaching(&job->session) && !job->session.silent && job->outlet &&
	       output_is_open(job);
}

static uint64_t linger_of(const struct job *job)
{
	bool hurry = job->linger_ms == UINT64_MAX || job->session.overdue || job->session.shutdown;

	return hurry && job->linger_ms > FORCED_LINGER_MS ? FORCED_LINGER_MS : job->linger_ms;
}

/* Who talks on for ever is never silent. */
static uint64_t limit_of(const struct job *job)
{
	uint64_t linger = linger_of(job);

	return is_forced(job)		       ? linger
	       : linger > UINT64_MAX / LINGERS ? UINT64_MAX
					       : linger * LINGERS;
}

static size_t readable(const struct job *job, int fd)
{
	int n = 0;

	if (fd < 0)
		return 0;
	/* The kernel does not say how much is on its way through a terminal. */
	if (job->pump.pty)
		return PTY_TAIL;
	return ioctl(fd, FIONREAD, &n) == 0 && n > 0 ? (size_t)n : 0;
}

/* What is written by now is read before any limit counts. */
static void measure_tail(struct job *job)
{
	enum job_tail tail = is_forced(job) ? TAIL_OF_FORCED_END : TAIL_KNOWN;

	if (job->tail == tail)
		return;
	job->tail = tail;
	job->tail_left[MSG_STREAM_STDOUT] = readable(job, job->pump.out_fd);
	job->tail_left[MSG_STREAM_STDERR] = readable(job, job->pump.err_fd);
	loop_disarm(job->host->loop, &job->limit);
}

static bool tail_is_read(const struct job *job)
{
	for (int stream = MSG_STREAM_STDOUT; stream <= MSG_STREAM_STDERR; stream++)
		if (job->tail_left[stream] && pump_is_open(&job->pump, (enum msg_stream)stream))
			return false;
	return true;
}

/* All that is there may be read, and what was read is sent. */
static bool is_level(const struct job *job)
{
	return all_is_sent(job->outlet) && room(job);
}

/*
 * The clock of silence runs only while the client is level with the output; the limit does from
 * the moment at which the tail is read.
 */
void job_run_linger_clocks(struct job *job)
{
	uint64_t quiet_since, now = loop_now_ms(), linger = linger_of(job);

	if (!waits_for_silence(job)) {
		loop_disarm(job->host->loop, &job->linger);
		loop_disarm(job->host->loop, &job->limit);
		return;
	}
	measure_tail(job);
	if (tail_is_read(job) && !job->limit.armed)
		loop_arm(job->host->loop, &job->limit, limit_of(job));
	if (!all_is_sent(job->outlet))
		job->outlet->awaited = true;
	if (!is_level(job)) {
		loop_disarm(job->host->loop, &job->linger);
		return;
	}
	quiet_since = job->read_ms > job->outlet->sent_ms ? job->read_ms : job->outlet->sent_ms;
	if (now - quiet_since >= linger)
		linger = 0;
	else
		linger -= now - quiet_since;
	loop_arm(job->host->loop, &job->linger, linger);
}

/* One read; returns what pump_read() returns. */
static ssize_t take_output(struct job *job, enum msg_stream stream)
{
	struct pump_sink sink = {.id = job->id};
	ssize_t n;

	if (job->outlet) {
		sink.frames = job->outlet->frames;
		sink.bulk = job->outlet->bulk;
	}
	n = pump_read(&job->pump, stream, room(job), job->outlet ? &sink : NULL);

	if (n == -EIO && job->pump.pty) {
		if (job->session.leader_ended) {
			pump_close_output(&job->pump, stream);
		} else {
			/* Somebody may open it again; while hung up it would be ready for ever. */
			job->pump.parked = true;
			loop_arm(job->host->loop, &job->parked, PARKED_LOOK_MS);
		}
	} else if (n < 0 && n != -EAGAIN) {
		log_warn("session %u: reading its output failed: %s", job->id, strerror((int)-n));
	}
	if (n > 0) {
		job->read_ms = loop_now_ms();
		job->output.sent += (size_t)n;
		job->tail_left[stream] -=
			(size_t)n < job->tail_left[stream] ? (size_t)n : job->tail_left[stream];
		if (job->outlet) {
			leave_turns(job);
			join_turns(job);
			job_told(job, 0);
		}
	}
	return n;
}

static void after_output(struct job *job)
{
	job_watch_pump(job);
	job_run_linger_clocks(job);
	if (!output_is_open(job) && !job->session.output_ended)
		job_happen(job, SESSION_OUTPUT_ENDED);
}

void job_on_output(struct pump *pump, enum msg_stream stream)
{
	struct job *job = container_of(pump, struct job, pump);

	job_hear_verdict(job);
	/* That it failed may have been the last of it. */
	if (!pump_is_open(pump, stream))
		return;
	if (room(job))
		take_output(job, stream);
	after_output(job);
}

void job_on_parked(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, parked);

	/* A read of nothing would look like its end. */
	if (!room(job)) {
		loop_arm(job->host->loop, &job->parked, PARKED_LOOK_MS);
		return;
	}
	job->pump.parked = false;
	take_output(job, MSG_STREAM_STDOUT);
	after_output(job);
}

/* Silence is over only if a last look finds nothing and nothing is still to be sent. */
void job_on_linger(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, linger);
	bool found = false;

	for (int stream = MSG_STREAM_STDOUT; stream <= MSG_STREAM_STDERR; stream++)
		if (pump_is_open(&job->pump, (enum msg_stream)stream) && room(job) &&
		    take_output(job, (enum msg_stream)stream) > 0)
			found = true;
	if (!found && waits_for_silence(job) && is_level(job))
		job_happen(job, SESSION_SILENT);
	else
		after_output(job);
}

/* Who cannot take output as fast as it is written has no part in how long that goes on. */
void job_on_limit(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, limit);

	if (!waits_for_silence(job))
		return;
	if (!is_forced(job) && limit_of(job) && !is_level(job))
		loop_arm(job->host->loop, timer, BEHIND_LOOK_MS);
	else
		job_happen(job, SESSION_SILENT);
}

void job_outlet_moved(struct job_outlet *outlet)
{
	if (!outlet->awaited)
		return;
	outlet->awaited = false;
	for (struct job *job = outlet->next_turn; job; job = job->later) {
		job_watch_pump(job);
		job_run_linger_clocks(job);
	}
}

/* ---- input, and what else the client sends ---- */

/* The queue of input has moved. */
static void after_input(struct job *job)
{
	size_t waiting = buf_len(&job->pump.input);
	uint64_t consumed;

	/* Nothing comes before started. */
	if (job->outlet && job->pump.in_fd >= 0 && job->session.verdict == SESSION_VERDICT_RUNS &&
	    credit_due(&job->input, waiting, &consumed))
		job_told(job, msg_put_credit(job->outlet->frames, job->id, MSG_EXEC_STDIN_CREDIT,
					     consumed));
	job_watch_pump(job);
}

void job_tell_input_error(struct job *job, int error)
{
	job->input_error = error;
	if (job->outlet && job->session.verdict == SESSION_VERDICT_RUNS)
		job_told(job, msg_put_stdin_error(job->outlet->frames, job->id, error));
}

void job_on_input(struct pump *pump, int error)
{
	struct job *job = container_of(pump, struct job, pump);

	if (error)
		job_tell_input_error(job, error);
	after_input(job);
}

/* With a hole in it the rest would be something else. */
static void refuse_input(struct job *job, int error)
{
	job_tell_input_error(job, error);
	if (error != EPIPE)
		pump_break_input(&job->pump);
}

void job_input(struct job *job, struct msg_bytes data)
{
	int r = 0;

	job->input.received += data.len;
	if (data.len)
		r = pump_write(&job->pump, data.ptr, data.len);
	else
		pump_end_input(&job->pump);
	if (r < 0)
		refuse_input(job, -r);
	after_input(job);
}

bool job_can_move_input(const struct job *job)
{
	return job->pump.in_fd >= 0 && !job->pump.input_ended;
}

static ssize_t read_away(int from_fd, size_t len)
{
	uint8_t waste[16 * 1024];
	ssize_t n = recv(from_fd, waste, len < sizeof(waste) ? len : sizeof(waste), MSG_DONTWAIT);

	return n < 0 ? -errno : n;
}

ssize_t job_move_input(struct job *job, int from_fd, size_t len)
{
	bool refused;
	ssize_t n;

	if (!job || !job_can_move_input(job))
		return read_away(from_fd, len);
	n = pump_move_input(&job->pump, from_fd, len);
	refused = n == -EPIPE || n == -ENOBUFS || n == -ENOMEM;
	if (refused)
		refuse_input(job, (int)-n);
	if (n > 0)
		job->input.received += (size_t)n;
	after_input(job);
	return refused ? read_away(from_fd, len) : n;
}

void job_resize(struct job *job, const struct msg_exec_resize *size)
{
	if (job->pump.pty && job->pump.out_fd >= 0)
		pty_resize(job->pump.out_fd, size);
}

void job_signal(struct job *job, int signal)
{
	if (signal < 1 || signal > 31) {
		log_info("session %u: signal %d ignored", job->id, signal);
		return;
	}
	if (signal == SIGHUP)
		job->hup_ms = loop_now_ms();
	reap_signal_group(job->pid, signal);
}

void job_output_credit(struct job *job, uint64_t consumed)
{
	credit_consumed(&job->output, consumed);
	job_watch_pump(job);
	job_run_linger_clocks(job);
}

void job_close_output(struct job *job, enum msg_stream stream)
{
	pump_close_output(&job->pump, stream);
	after_output(job);
}
