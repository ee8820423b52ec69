/*
 * One command of one client, alive: see job.h. What its session decides is carried out; what it writes
 * becomes frames in its outlet, what the client sends goes to it; and its output is waited for after the
 * leader's end, for so long.
 */
#include "job.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "daemon/spawn/pty.h"
#include "procfs.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/wire/credit.h"

#define GRACE_MS	 2000
#define POLL_MS		 20  /* where there is no pidfd */
#define FORCED_LINGER_MS 500 /* for a forced end that waits for ever, or that nobody may put off */
#define PARKED_LOOK_MS	 50  /* how often to look at a pty that nobody has open, and for memory */
#define LINGERS		 20  /* after a normal end, this many lingers at most, silence or not */
#define BEHIND_LOOK_MS	 50  /* how often to look whether a client has caught up */
#define PTY_TAIL	 (128 * 1024) /* more than a terminal holds, in bytes */
#define LITTLE		 4096	      /* bytes at a time, as keys are and what they bring about */
#define BESIDE_OTHERS	 (64 * 1024)  /* bytes that one may move at a time then, */
#define BESIDE_REST_US	 200	      /* with so much between */

struct job {
	struct job_host *host;
	struct list_node of_host;
	/* Its client has one or the other, until it has had its last frame, or is gone. */
	struct outlet_member member;
	struct kept *kept; /* not owned */
	struct owner owner;
	struct ledger_entry entry;
	uid_t uid;	     /* that it runs as */
	uint64_t printed[2]; /* bytes of output, by enum msg_stream */

	struct session session;
	struct spawn_plan *plan;       /* until the verdict */
	struct spawn_failure *failure; /* owned; once there is one, NULL for want of memory */
	struct reap_status status;
	struct reap_watch watch;
	struct cgroup *cgroup; /* owned; or NULL */
	pid_t pid;
	int pid_fd, verdict_fd;
	struct loop_source pid_source, verdict_source;
	struct pump pump;

	uint64_t linger_ms; /* UINT64_MAX: the end of output is waited for */
	uint64_t read_ms, started_us;
	uint64_t hup_ms; /* when the client passed on a SIGHUP, or 0 */
	/* What was there to be read when nothing but others held the output any more. */
	enum job_tail { TAIL_UNKNOWN, TAIL_KNOWN, TAIL_OF_FORCED_END } tail;
	size_t tail_left[2];
	int timeout_signal;
	uint64_t kill_after_ms;
	struct credit output;	     /* what the client lets us send */
	struct credit_account input; /* what we let it send */
	int input_error;	     /* to be told once it is said to run */
	struct loop_timer timeout, max_time, grace, linger, limit, parked, poll;
	struct loop_grave grave;
};

/* ---- the client's side ---- */

static struct buf *frames_of(const struct job *job)
{
	return link_out(outlet_link(job->member.outlet));
}

/* A frame was put for the client; without room for it the connection is beyond help. */
static void told_id(struct job_host *host, struct outlet *outlet, uint32_t id, int result)
{
	if (result < 0) {
		log_caused(LOG_LEVEL_WARN, "id %u: cannot queue a frame: %s", id,
			   strerror(-result));
		link_give_up(outlet_link(outlet), -result);
	}
	host->activity++;
	link_mark(outlet_link(outlet));
}

static void told(struct job *job, int result)
{
	told_id(job->host, job->member.outlet, job->member.id, result);
}

/* Somebody may still be told something. */
static bool is_heard(const struct job *job)
{
	return job->member.outlet || job->kept;
}

/* Nothing more is said to the client. */
static void detach(struct job *job)
{
	if (!is_heard(job))
		return;
	if (job->kept)
		kept_unbind(job->kept);
	else
		outlet_leave(&job->member);
	job->kept = NULL;
	loop_disarm(job->host->loop, &job->linger);
	loop_disarm(job->host->loop, &job->limit);
	/* Nobody is left who could send any. */
	pump_end_input(&job->pump);
}

/* It wants little and soon, and somebody waits for that. */
static void stir(const struct job *job)
{
	if (is_heard(job))
		lively_stir(&job->host->lively, job->member.outlet, job, loop_now_us());
}

static bool others_are_lively(const struct job *job)
{
	return lively_beside(&job->host->lively, job->member.outlet, job, loop_now_us());
}

/* Queued frames at which output waits: of those who share the queue nobody is to wait for much. */
static size_t output_limit(const struct job *job)
{
	if (buf_spare_is_short(&job->host->spare))
		return JOB_SHORT;
	return outlet_is_shared(job->member.outlet) && others_are_lively(job) ? BESIDE_OTHERS
									      : JOB_OUTPUT_LIMIT;
}

/* How much output may be read now: what the queue and the client's credit let in. */
static size_t room(const struct job *job)
{
	/* Nothing comes before started: a terminal echoes what is typed to a command that is none yet. */
	if (is_heard(job) && job->session.verdict == SESSION_VERDICT_NONE)
		return 0;
	if (job->kept)
		return kept_room(job->kept);
	if (!job->member.outlet)
		return BULK_MAX;
	if (buf_len(frames_of(job)) >= output_limit(job))
		return 0;
	return credit_room(&job->output,
			   buf_spare_is_short(&job->host->spare) ? JOB_SHORT : BULK_MAX);
}

/* The same for one turn. */
static size_t room_now(const struct job *job)
{
	size_t most = room(job);

	return most > BESIDE_OTHERS && others_are_lively(job) ? BESIDE_OTHERS : most;
}

/* Input that the command does not take holds up its client, unless that counts credit. */
static bool is_stalled(const struct job *job)
{
	size_t waiting = buf_len(&job->pump.input);

	/* Who counts credit stays below its window by itself, or is stalled like the others. */
	return job->input.window ? waiting > job->input.window : waiting >= JOB_INPUT_LIMIT;
}

/* Derives what the child's descriptors are watched for. */
static void watch_pump(struct job *job)
{
	struct outlet *outlet = job->member.outlet;
	bool full = outlet && buf_len(frames_of(job)) >= output_limit(job);
	bool bulk_free = !outlet || !link_bulk(outlet_link(outlet))->len;

	if (full || !bulk_free)
		outlet_await(outlet);
	pump_watch(&job->pump, room(job) > 0, bulk_free);
	if (outlet)
		outlet_stall(&job->member, is_stalled(job));
}

/* Input was lost, and why; started comes before that. */
static void tell_input_error(struct job *job, int error)
{
	job->input_error = error;
	if (job->kept)
		kept_input_error(job->kept, error);
	else if (job->member.outlet && job->session.verdict == SESSION_VERDICT_RUNS)
		told(job, msg_put_stdin_error(frames_of(job), job->member.id, error));
}

/* ---- the wait for output after the leader's end ---- */

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
	       !session_is_reaching(&job->session) && !job->session.silent && is_heard(job) &&
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

/* What was read is sent, to whoever is to get it. */
static bool is_sent(const struct job *job)
{
	return job->kept ? kept_is_level(job->kept) : !link_unsent(outlet_link(job->member.outlet));
}

/* All that is there may be read, and what was read is sent. */
static bool is_level(const struct job *job)
{
	return is_sent(job) && room(job);
}

/* on_moved() is called once it is sent. */
static void await_sent(struct job *job)
{
	if (job->kept)
		kept_await(job->kept);
	else
		outlet_await(job->member.outlet);
}

/*
 * The clock of silence runs only while the client is level with the output; the limit does from
 * the moment at which the tail is read.
 */
static void run_linger_clocks(struct job *job)
{
	uint64_t quiet_since, sent_ms, now = loop_now_ms(), linger = linger_of(job);

	if (!waits_for_silence(job)) {
		loop_disarm(job->host->loop, &job->linger);
		loop_disarm(job->host->loop, &job->limit);
		return;
	}
	measure_tail(job);
	if (tail_is_read(job) && !job->limit.armed)
		loop_arm(job->host->loop, &job->limit, limit_of(job));
	if (!is_sent(job))
		await_sent(job);
	if (!is_level(job)) {
		loop_disarm(job->host->loop, &job->linger);
		return;
	}
	sent_ms = job->kept ? kept_sent_ms(job->kept) : outlet_sent_ms(job->member.outlet);
	quiet_since = job->read_ms > sent_ms ? job->read_ms : sent_ms;
	if (now - quiet_since >= linger)
		linger = 0;
	else
		linger -= now - quiet_since;
	loop_arm(job->host->loop, &job->linger, linger);
}

static void after_input(struct job *job);

/* ---- carrying out what the session decides ---- */

static void send_started(struct job *job)
{
	struct msg_exec_started started = {
		.pid = (uint32_t)job->pid,
		.stdin_window = job->input.window,
	};

	if (job->kept)
		kept_started(job->kept);
	else
		told(job, msg_put(frames_of(job), job->member.id, MSG_EXEC_STARTED, &started));
	if (job->input_error)
		tell_input_error(job, job->input_error);
	/* What came before it was not told of: the last of it may be all that a client had credit for. */
	after_input(job);
}

static void send_exited(struct job *job)
{
	struct msg_exec_exited exited = {
		.code = job->status.code,
		.signal = job->status.signal,
		.core_dumped = job->status.core_dumped,
		.timed_out = job->session.timed_out,
		.oom_killed = job->cgroup && cgroup_had_oom(job->cgroup),
		.usage = {job->status.user_us, job->status.sys_us, loop_now_us() - job->started_us,
			  job->status.max_rss_kib},
		.has_usage = true,
	};

	if (job->kept)
		kept_ended(job->kept, &exited);
	else
		told(job, msg_put(frames_of(job), job->member.id, MSG_EXEC_EXITED, &exited));
}

/* For a job, and where no job came to be. */
static void tell_failed(struct job_host *host, struct outlet *outlet, uint32_t id,
			const struct spawn_failure *failure)
{
	told_id(host, outlet, id,
		msg_put_exec_failed(link_out(outlet_link(outlet)), id, failure->kind, failure->num,
				    failure->message, failure->stage[0] ? failure->stage : NULL));
}

/* The same for one that would have been kept, and now is not. */
static void forget_failed(struct job_host *host, struct kept *kept,
			  const struct spawn_failure *failure)
{
	kept_failed(kept, failure->kind, failure->num, failure->message,
		    failure->stage[0] ? failure->stage : NULL);
	keeper_remove(&host->keeper, kept);
}

static const struct spawn_failure *failure_of(const struct job *job)
{
	return job->failure ? job->failure : &spawn_no_memory;
}

static void send_failed(struct job *job)
{
	struct kept *kept = job->kept;

	if (!kept) {
		tell_failed(job->host, job->member.outlet, job->member.id, failure_of(job));
		return;
	}
	detach(job);
	forget_failed(job->host, kept, failure_of(job));
}

/* Whether the end is the one that the request described, and not the daemon's. */
static bool has_own_manner(const struct job *job)
{
	return job->session.timed_out && !job->session.overdue;
}

/* A stopped process acts on nothing but KILL, so each request to end comes with a CONT. */
static void ask_to_end(struct job *job, int signal)
{
	reap_signal_group(job->pid, signal);
	reap_signal_group(job->pid, SIGCONT);
}

/* ---- the record ---- */

static void record_begin(const struct job *job, uint32_t id, const struct ledger_note *note)
{
	const struct child_plan *child = &job->plan->child;
	struct account_begin begin = {
		.owner = job->owner,
		.id = id,
		.as_known = true,
		.uid = job->uid,
		.gid = child->switch_user ? child->gid : getegid(),
		.leader = job->pid,
		.tty = job->pump.pty,
		.kept = job->entry.kept,
	};

	ledger_begins(note, &begin);
}

static enum account_how how_it_ended(const struct job *job)
{
	if (job->session.verdict == SESSION_VERDICT_FAILED)
		return ACCOUNT_FAILED;
	if (!job->session.leader_ended)
		return ACCOUNT_LEFT;
	if (job->status.signal)
		return ACCOUNT_KILLED;
	return job->status.code < 0 ? ACCOUNT_UNKNOWN : ACCOUNT_EXITED;
}

/* Once, when nobody will signal it again, or it is left. */
static void record_end(struct job *job)
{
	const struct session *session = &job->session;
	struct account_end end;

	if (!job->entry.recorded)
		return;
	end = (struct account_end){
		.how = how_it_ended(job),
		.code = job->status.code,
		.signal = job->status.signal,
		.core_dumped = job->status.core_dumped,
		.why = failure_of(job)->message,
		.overdue = session->overdue,
		.timed_out = session->timed_out,
		.oom_killed = job->cgroup && cgroup_had_oom(job->cgroup),
		.shutdown = session->shutdown,
		.client_lost = session->client_gone && (session->ending || session->hung_up),
		.ms = (loop_now_us() - job->started_us) / 1000,
		.in = job->input.received,
		.out = job->printed[MSG_STREAM_STDOUT],
		.err = job->printed[MSG_STREAM_STDERR],
	};
	ledger_ends(&job->entry, &end);
}

/* ---- its end ---- */

static void free_job(struct loop_grave *grave)
{
	free(container_of(grave, struct job, grave));
}

static void release(struct job *job)
{
	struct job_host *host = job->host;

	record_end(job);
	detach(job);
	loop_disarm(host->loop, &job->timeout);
	loop_disarm(host->loop, &job->max_time);
	loop_disarm(host->loop, &job->grace);
	loop_disarm(host->loop, &job->parked);
	loop_disarm(host->loop, &job->poll);
	reaper_unwatch(&host->reaper, &job->watch);
	loop_remove(host->loop, &job->pid_source);
	loop_remove(host->loop, &job->verdict_source);
	fd_close(&job->pid_fd);
	fd_close(&job->verdict_fd);
	pump_release(&job->pump);
	spawn_plan_free(job->plan);
	free(job->failure);
	cgroup_leave(job->cgroup);
	list_remove(&host->jobs, &job->of_host);
	host->job_count--;
	if (job->owner.running)
		--*job->owner.running;
	loop_bury(host->loop, &job->grave, free_job);
}

static void bury(struct job *job)
{
	record_end(job);
	loop_disarm(job->host->loop, &job->timeout);
	loop_disarm(job->host->loop, &job->max_time);
	loop_disarm(job->host->loop, &job->grace);
	loop_remove(job->host->loop, &job->pid_source);
	fd_close(&job->pid_fd);
	reap_bury(job->pid);
}

static void carry_out(struct job *job, uint32_t actions)
{
	struct job_host *host = job->host;

	if (actions & SESSION_SEND_STARTED)
		send_started(job);
	if (actions & SESSION_SEND_FAILED)
		send_failed(job);
	if (actions & SESSION_SEND_EXITED)
		send_exited(job);
	if (actions & SESSION_ASK)
		ask_to_end(job, has_own_manner(job) ? job->timeout_signal
				: job->pump.pty	    ? SIGHUP
						    : SIGTERM);
	if (actions & SESSION_HANG_UP)
		ask_to_end(job, SIGHUP);
	if (actions & (SESSION_ARM_GRACE | SESSION_ARM_AGAIN))
		loop_arm(host->loop, &job->grace,
			 has_own_manner(job) && job->kill_after_ms ? job->kill_after_ms : GRACE_MS);
	if (actions & SESSION_HASTEN && job->grace.armed &&
	    job->grace.due_us > loop_now_us() + GRACE_MS * 1000)
		loop_arm(host->loop, &job->grace, GRACE_MS);
	if (actions & SESSION_KILL)
		job->watch.kill = true;
	if (actions & (SESSION_WATCH | SESSION_KILL))
		reaper_watch(&host->reaper, &job->watch);
	if (actions & SESSION_DISCARD) {
		detach(job);
		watch_pump(job);
	}
	if (actions & SESSION_BURY)
		bury(job);
	if (actions & SESSION_OVER) {
		release(job);
		if (!host->job_count && host->on_idle)
			host->on_idle(host);
	}
}

/* Reports an event to the session and carries out what follows. The job may be over afterwards. */
static void happen(struct job *job, enum session_event event)
{
	uint32_t actions;

	stir(job);
	if (event == SESSION_CLIENT_GONE)
		job->session.hup_before = job->hup_ms && loop_now_ms() - job->hup_ms < GRACE_MS;
	actions = session_event(&job->session, event);
	/* What it was sent comes with a CONT, as all that asks for an end. */
	if (event == SESSION_CLIENT_GONE && (job->session.eased || job->session.asked))
		reap_signal_group(job->pid, SIGCONT);
	carry_out(job, actions);
	if (!(actions & (SESSION_OVER | SESSION_DISCARD)))
		run_linger_clocks(job);
}

/* ---- what the kernel reports ---- */

static void on_verdict(struct loop_source *source, uint32_t ready)
{
	struct job *job = container_of(source, struct job, verdict_source);
	struct spawn_failure failure;
	int verdict = spawn_verdict(job->plan, job->verdict_fd, &failure);

	(void)ready;
	if (verdict == 0)
		return;
	loop_remove(job->host->loop, &job->verdict_source);
	fd_close(&job->verdict_fd);
	spawn_plan_free(job->plan);
	job->plan = NULL;
	if (verdict < 0)
		job->failure = malloc(sizeof(failure));
	if (job->failure)
		*job->failure = failure;
	happen(job, verdict > 0 ? SESSION_RUNS : SESSION_FAILED);
}

/* The leader's end and its output must not overtake a verdict that is still in the pipe. */
static void hear_verdict(struct job *job)
{
	if (job->verdict_fd >= 0)
		on_verdict(&job->verdict_source, LOOP_IN);
}

static void look_at_leader(struct job *job)
{
	int r;

	if (job->session.leader_ended)
		return;
	r = reap_peek(job->pid, &job->status);
	if (r == 0)
		return;
	if (r < 0) {
		/* Somebody reaped our child. Nothing is known of its end, and nothing is made up.
		 */
		log_caused(LOG_LEVEL_ERROR, "session %" PRIu64 ": cannot learn how %d ended: %s",
			   job->entry.number, job->pid, strerror(-r));
		job->status.code = -1;
	}
	loop_remove(job->host->loop, &job->pid_source);
	loop_disarm(job->host->loop, &job->poll);
	hear_verdict(job);
	job->read_ms = loop_now_ms();
	pump_hasten(&job->pump);
	if (job->pump.parked)
		loop_arm(job->host->loop, &job->parked, 0);
	happen(job, SESSION_LEADER_ENDED);
}

static void on_leader(struct loop_source *source, uint32_t ready)
{
	(void)ready;
	look_at_leader(container_of(source, struct job, pid_source));
}

static void on_poll(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, poll);

	loop_arm(job->host->loop, &job->poll, POLL_MS);
	look_at_leader(job);
}

static void on_timeout(struct loop_timer *timer)
{
	happen(container_of(timer, struct job, timeout), SESSION_TIMED_OUT);
}

static void on_max_time(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, max_time);

	log_caused(LOG_LEVEL_INFO,
		   "session %" PRIu64 ": process %d runs for longer than --max-time",
		   job->entry.number, job->pid);
	happen(job, SESSION_OVERDUE);
}

static void on_grace(struct loop_timer *timer)
{
	happen(container_of(timer, struct job, grace), SESSION_GRACE_OVER);
}

static void on_empty(struct reap_watch *watch)
{
	happen(container_of(watch, struct job, watch), SESSION_EMPTY);
}

/* ---- output ---- */

/* What cannot be read just now, and would be ready for ever, is looked at later. */
static void park(struct job *job)
{
	job->pump.parked = true;
	loop_arm(job->host->loop, &job->parked, PARKED_LOOK_MS);
}

/* What is kept is read into the ring of its stream, and goes from there to whoever is attached. */
static ssize_t read_kept(struct job *job, enum msg_stream stream)
{
	uint8_t *space;
	ssize_t n = kept_reserve(job->kept, stream, PUMP_READ_MAX, &space);

	/* The bytes are safe where they are. */
	if (n == -ENOMEM)
		park(job);
	if (n <= 0)
		return -EAGAIN;
	n = pump_read_into(&job->pump, stream, space, (size_t)n);
	if (n > 0)
		kept_commit(job->kept, stream, (size_t)n);
	return n;
}

static ssize_t read_frame(struct job *job, enum msg_stream stream)
{
	struct pump_sink sink = {.id = job->member.id};

	if (!job->member.outlet)
		return pump_read(&job->pump, stream, room(job), NULL);
	sink.frames = frames_of(job);
	sink.bulk = link_bulk(outlet_link(job->member.outlet));
	return pump_read(&job->pump, stream, room_now(job), &sink);
}

/* One read; returns what pump_read() returns. */
static ssize_t take_output(struct job *job, enum msg_stream stream)
{
	ssize_t n = job->kept ? read_kept(job, stream) : read_frame(job, stream);

	if (n == -EIO && job->pump.pty) {
		if (job->session.leader_ended) {
			pump_close_output(&job->pump, stream);
		} else {
			/* Somebody may open it again; while hung up it would be ready for ever. */
			park(job);
		}
	} else if (n < 0 && n != -EAGAIN) {
		log_caused(LOG_LEVEL_WARN, "session %" PRIu64 ": reading its output failed: %s",
			   job->entry.number, strerror((int)-n));
	}
	if (n > 0) {
		if (n < LITTLE && !job->pump.floods)
			stir(job);
		if (job->pump.floods && others_are_lively(job))
			pump_rest(&job->pump, BESIDE_REST_US);
		job->read_ms = loop_now_ms();
		job->output.sent += (size_t)n;
		job->printed[stream] += (size_t)n;
		job->tail_left[stream] -=
			(size_t)n < job->tail_left[stream] ? (size_t)n : job->tail_left[stream];
		if (job->member.outlet) {
			outlet_served(&job->member);
			told(job, 0);
		}
	}
	return n;
}

static void after_output(struct job *job)
{
	watch_pump(job);
	run_linger_clocks(job);
	if (!output_is_open(job) && !job->session.output_ended)
		happen(job, SESSION_OUTPUT_ENDED);
}

static void on_output(struct pump *pump, enum msg_stream stream)
{
	struct job *job = container_of(pump, struct job, pump);

	hear_verdict(job);
	/* That it failed may have been the last of it. */
	if (!pump_is_open(pump, stream))
		return;
	if (room(job))
		take_output(job, stream);
	after_output(job);
}

static void on_parked(struct loop_timer *timer)
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
static void on_linger(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, linger);
	bool found = false;

	for (int stream = MSG_STREAM_STDOUT; stream <= MSG_STREAM_STDERR; stream++)
		if (pump_is_open(&job->pump, (enum msg_stream)stream) && room(job) &&
		    take_output(job, (enum msg_stream)stream) > 0)
			found = true;
	if (!found && waits_for_silence(job) && is_level(job))
		happen(job, SESSION_SILENT);
	else
		after_output(job);
}

/* Who cannot take output as fast as it is written has no part in how long that goes on. */
static void on_linger_limit(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, limit);

	if (!waits_for_silence(job))
		return;
	if (!is_forced(job) && limit_of(job) && !is_level(job))
		loop_arm(job->host->loop, timer, BEHIND_LOOK_MS);
	else
		happen(job, SESSION_SILENT);
}

/* ---- input, and what else the client sends ---- */

/* The queue of input has moved. */
static void after_input(struct job *job)
{
	size_t waiting = buf_len(&job->pump.input);
	uint64_t consumed;

	if (job->kept)
		kept_input_moved(job->kept, waiting);
	/* Nothing comes before started. */
	else if (job->member.outlet && job->pump.in_fd >= 0 &&
		 job->session.verdict == SESSION_VERDICT_RUNS &&
		 credit_due(&job->input, waiting, &consumed))
		told(job, msg_put_credit(frames_of(job), job->member.id, MSG_EXEC_STDIN_CREDIT,
					 consumed));
	watch_pump(job);
}

static void on_input(struct pump *pump, int error)
{
	struct job *job = container_of(pump, struct job, pump);

	if (error)
		tell_input_error(job, error);
	after_input(job);
}

static void on_rested(struct pump *pump)
{
	watch_pump(container_of(pump, struct job, pump));
}

/* With a hole in it the rest would be something else. */
static void refuse_input(struct job *job, int error)
{
	tell_input_error(job, error);
	if (error != EPIPE)
		pump_break_input(&job->pump);
}

static struct job *job_of(const struct outlet_member *member)
{
	return container_of((struct outlet_member *)member, struct job, member);
}

static void job_input(struct job *job, struct msg_bytes data)
{
	int r = 0;

	job->input.received += data.len;
	if (data.len < LITTLE)
		stir(job);
	if (data.len)
		r = pump_write(&job->pump, data.ptr, data.len);
	else
		pump_end_input(&job->pump);
	if (r < 0)
		refuse_input(job, -r);
	after_input(job);
}

static void on_client_input(struct outlet_member *member, struct msg_bytes data)
{
	job_input(job_of(member), data);
}

static bool can_move(const struct outlet_member *member)
{
	const struct job *job = job_of(member);

	return job->pump.in_fd >= 0 && !job->pump.input_ended;
}

static ssize_t on_move(struct outlet_member *member, int from_fd, size_t len)
{
	struct job *job = job_of(member);
	bool refused;
	ssize_t n;

	if (!can_move(member))
		return outlet_move(NULL, from_fd, len);
	if (len > BESIDE_OTHERS && others_are_lively(job))
		len = BESIDE_OTHERS;
	n = pump_move_input(&job->pump, from_fd, len);
	refused = n == -EPIPE || n == -ENOBUFS || n == -ENOMEM;
	if (refused)
		refuse_input(job, (int)-n);
	if (n > 0)
		job->input.received += (size_t)n;
	after_input(job);
	return refused ? outlet_move(NULL, from_fd, len) : n;
}

static void on_resize(struct outlet_member *member, const struct msg_exec_resize *size)
{
	struct job *job = job_of(member);

	stir(job);
	if (job->pump.pty && job->pump.out_fd >= 0)
		pty_resize(job->pump.out_fd, size);
}

static void on_signal(struct outlet_member *member, int signal)
{
	struct job *job = job_of(member);

	if (signal < 1 || signal > 31) {
		log_caused(LOG_LEVEL_INFO, "session %" PRIu64 ": signal %d ignored",
			   job->entry.number, signal);
		return;
	}
	stir(job);
	if (signal == SIGHUP)
		job->hup_ms = loop_now_ms();
	reap_signal_group(job->pid, signal);
}

static void on_output_credit(struct outlet_member *member, uint64_t consumed)
{
	struct job *job = job_of(member);

	credit_consumed(&job->output, consumed);
	watch_pump(job);
	run_linger_clocks(job);
}

static void on_output_close(struct outlet_member *member, enum msg_stream stream)
{
	struct job *job = job_of(member);

	pump_close_output(&job->pump, stream);
	after_output(job);
}

static void on_abandon(struct outlet_member *member)
{
	struct job *job = job_of(member);

	job->session.on_disconnect = MSG_DISCONNECT_KILL;
	happen(job, SESSION_CLIENT_GONE);
}

/* ---- what its outlet says, or what stands for it ---- */

static void on_moved(struct outlet_member *member)
{
	struct job *job = job_of(member);

	watch_pump(job);
	run_linger_clocks(job);
}

static void on_lost(struct outlet_member *member)
{
	happen(job_of(member), SESSION_CLIENT_GONE);
}

/* ---- keeping it ---- */

static const char *refusal_of(int r, const char *name, char *room, size_t room_len)
{
	switch (r) {
	case -EINVAL:
		snprintf(room, room_len, "%s cannot be the name of a session", name);
		return room;
	case -EEXIST:
		snprintf(room, room_len, "another session has the name %s", name);
		return room;
	case -ENOSPC:
		return "the agent keeps as many sessions as --max-kept allows";
	case -EDQUOT:
		return "the agent keeps as many sessions of this user as --max-kept-of-user allows";
	case -EOPNOTSUPP:
		return "this agent cannot keep sessions";
	default:
		return "the agent has no memory to keep it";
	}
}

static int add_kept(struct job_host *host, const struct owner *owner, struct msg_text name,
		    struct kept **ret)
{
	return host->keeper.keeps ? keeper_add(&host->keeper, owner, name, ret) : -EOPNOTSUPP;
}

static void become_kept(struct job *job, struct kept *kept, struct kept_facts *facts)
{
	procfs_user(job->uid, facts->user, sizeof(facts->user));
	facts->pid = job->pid;
	facts->tty = job->pump.pty;
	facts->age_ms = (loop_now_us() - job->started_us) / 1000;
	kept_bind(kept, &job->member, facts);
	job->kept = kept;
	ledger_keeps(&job->entry, kept->id);
}

/* Its client leaves, and it goes on. */
static void on_detach(struct outlet_member *member, const struct msg_session_detach *detach_)
{
	struct job *job = job_of(member);
	char line[4096], *argv[KEPT_ARGV_MAX], why[160];
	struct kept_facts facts = {
		.argv = argv,
		.at = {job->printed[MSG_STREAM_STDOUT], job->printed[MSG_STREAM_STDERR]},
		.stdin_at = job->input.received,
		.restore = detach_->restore,
	};
	const char *words;
	struct kept *kept;
	int r = job->session.verdict != SESSION_VERDICT_RUNS
			? -EAGAIN
			: add_kept(job->host, &job->owner, (struct msg_text){0}, &kept);

	if (r < 0) {
		words = r == -EAGAIN ? "it has not begun to run yet"
				     : refusal_of(r, "", why, sizeof(why));
		told(job, msg_put(frames_of(job), member->id, MSG_SESSION_REFUSED,
				  &(struct msg_session_refused){{words, strlen(words)}}));
		return;
	}
	/* It was not asked how it began. */
	facts.argc = procfs_command(job->pid, line, sizeof(line), argv, ARRAY_LEN(argv));
	told(job, kept_put_detached(kept, frames_of(job), member->id, MSG_DETACHED_ASKED));
	outlet_leave(member);
	become_kept(job, kept, &facts);
	after_output(job);
}

static const struct outlet_calls outlet_calls = {
	.on_moved = on_moved,
	.on_lost = on_lost,
	.on_input = on_client_input,
	.on_move = on_move,
	.can_move = can_move,
	.on_resize = on_resize,
	.on_signal = on_signal,
	.on_output_close = on_output_close,
	.on_output_credit = on_output_credit,
	.on_detach = on_detach,
	.on_abandon = on_abandon,
};

/* ---- from its start to all ends ---- */

static void take_child(struct job *job, const struct spawn_child *child,
		       const struct msg_exec_request *request)
{
	struct job_host *host = job->host;

	job->pid = job->watch.session = child->pid;
	job->watch.cgroup = job->cgroup;
	job->pid_fd = child->pid_fd;
	job->verdict_fd = child->verdict_fd;
	pump_init(&job->pump, host->loop, request->tty, child->in_fd, child->out_fd, child->err_fd,
		  JOB_INPUT_WINDOW + FRAME_WIRE_MAX, &host->spare);
	job->pump.on_output = on_output;
	job->pump.on_input = on_input;
	job->pump.on_rested = on_rested;
	loop_source_init(&job->pid_source, job->pid_fd, on_leader);
	loop_source_init(&job->verdict_source, job->verdict_fd, on_verdict);
	loop_want(host->loop, &job->verdict_source, LOOP_IN);
	loop_want(host->loop, &job->pid_source, LOOP_IN);
	if (job->pid_fd < 0)
		loop_arm(host->loop, &job->poll, POLL_MS);
	if (request->timeout_ms)
		loop_arm(host->loop, &job->timeout, request->timeout_ms);
	if (host->limits.max_time_ms)
		loop_arm(host->loop, &job->max_time, host->limits.max_time_ms);
	watch_pump(job);
}

/* A terminal's shell takes no time to end, whatever its background jobs have to say. */
static uint64_t asked_linger(const struct job_host *host, const struct msg_exec_request *request)
{
	if (request->has_linger)
		return request->linger_ms;
	if (request->tty)
		return 0;
	return host->limits.has_linger ? host->limits.linger_ms : UINT64_MAX;
}

static void take_options(struct job *job, const struct msg_exec_request *request)
{
	int on_disconnect =
		request->on_disconnect.ptr ? msg_on_disconnect_parse(request->on_disconnect) : -1;

	job->session.on_disconnect =
		on_disconnect < 0 ? MSG_DISCONNECT_KILL : (enum msg_on_disconnect)on_disconnect;
	job->session.never_kill = request->timeout_ms && !request->kill_after_ms;
	job->session.hangs_up = request->tty;
	job->linger_ms = asked_linger(job->host, request);
	job->timeout_signal = request->timeout_signal > 0 && request->timeout_signal < NSIG
				      ? request->timeout_signal
				      : SIGTERM;
	job->kill_after_ms = request->kill_after_ms;
	job->input.window = !request->stdin_window		    ? 0
			    : buf_spare_is_short(&job->host->spare) ? JOB_SHORT
								    : JOB_INPUT_WINDOW;
	job->output.window = request->output_window;
	job->timeout.on_due = on_timeout;
	job->max_time.on_due = on_max_time;
	job->grace.on_due = on_grace;
	job->linger.on_due = on_linger;
	job->limit.on_due = on_linger_limit;
	job->parked.on_due = on_parked;
	job->poll.on_due = on_poll;
	job->watch.on_empty = on_empty;
}

/* It is to go on without its client: where it is kept, or NULL. 0, or -1 with *failure filled. */
static int begin_kept(struct job *job, struct outlet *outlet, uint32_t id,
		      const struct msg_exec_request *request, struct kept **ret,
		      struct spawn_failure *failure)
{
	struct job_host *host = job->host;
	char name[MSG_SESSION_NAME_MAX + 1], why[160];
	int r;

	*ret = NULL;
	if (job->session.on_disconnect != MSG_DISCONNECT_KEEP || !host->keeper.keeps)
		return 0;
	r = add_kept(host, &job->owner, request->name, ret);
	if (r == 0 && kept_open(*ret, outlet, id, job->input.window, request) < 0) {
		keeper_remove(&host->keeper, *ret);
		r = -ENOMEM;
	}
	if (r == 0)
		return 0;
	snprintf(name, sizeof(name), "%.*s", (int)request->name.len,
		 request->name.ptr ? request->name.ptr : "");
	*failure = (struct spawn_failure){.kind = r == -ENOSPC || r == -EDQUOT
							  ? MSG_FAILURE_RESOURCE_LIMIT
							  : MSG_FAILURE_OTHER};
	snprintf(failure->message, sizeof(failure->message), "cannot spawn: %s",
		 refusal_of(r, name, why, sizeof(why)));
	return -1;
}

/* A group of its own, where one is wanted. 0, or -1 with *failure filled. */
static int confine(struct job *job, const struct msg_exec_request *request,
		   struct spawn_failure *failure)
{
	const struct cgroup_limits limits = {request->memory_max, request->cpu_millis,
					     request->pids_max};
	struct cgroups *cgroups = &job->host->cgroups;
	char cmd[256];
	struct err err;

	if (!cgroups_want(cgroups, request->cgroup, &limits) ||
	    cgroup_make(cgroups, &limits, &job->cgroup, &err) == 0)
		return 0;
	snprintf(cmd, sizeof(cmd), "%.*s", (int)request->cmd.len, request->cmd.ptr);
	spawn_fail(failure, SPAWN_CGROUP, cmd, &err);
	return -1;
}

static int start_child(struct job *job, struct msg_exec_request *request,
		       struct spawn_child *ret_child, struct spawn_failure *failure)
{
	cleanup_fd int cgroup_fd = -1;
	struct err err;

	if (confine(job, request, failure) < 0)
		return -1;
	if (job->cgroup) {
		cgroup_fd = cgroup_open(job->cgroup);
		if (cgroup_fd < 0) {
			err_set(&err, -cgroup_fd, NULL, "cannot open its control group");
			spawn_fail(failure, SPAWN_CGROUP, NULL, &err);
			return -1;
		}
	}
	return spawn_start(&job->host->spawn, request, cgroup_fd, ret_child, &job->plan, failure);
}

/* Starts it; what a failure is told by is done then. */
static int spawn(struct job *job, struct outlet *outlet, uint32_t id,
		 struct msg_exec_request *request, const struct ledger_note *note,
		 struct spawn_child *ret_child)
{
	struct job_host *host = job->host;
	struct spawn_failure failure = {.num = 0};
	struct kept *kept;

	if (begin_kept(job, outlet, id, request, &kept, &failure) < 0) {
		ledger_fails(note, &job->owner, id, failure.message);
		tell_failed(host, outlet, id, &failure);
		return -1;
	}
	if (start_child(job, request, ret_child, &failure) < 0) {
		cgroup_leave(job->cgroup);
		ledger_fails(note, &job->owner, id, failure.message);
		if (kept)
			forget_failed(host, kept, &failure);
		else
			tell_failed(host, outlet, id, &failure);
		return -1;
	}
	job->kept = kept;
	return 0;
}

static void join(struct job *job, struct outlet *outlet, uint32_t id)
{
	const struct spawn_plan *plan = job->plan;
	struct kept_facts facts = {.argv = plan->argv};

	job->uid = plan->child.switch_user ? plan->child.uid : geteuid();
	if (!job->kept) {
		outlet_join(outlet, &job->member, id, &outlet_calls);
		return;
	}
	job->member = (struct outlet_member){.id = id, .calls = &outlet_calls};
	while (facts.argv[facts.argc])
		facts.argc++;
	become_kept(job, job->kept, &facts);
}

/* Why no command may be started for it now; NULL: one may. */
static const struct spawn_failure *refusal_to_start(const struct job_host *host,
						    const struct owner *owner, size_t max_jobs)
{
	static const struct spawn_failure too_late = {
		.kind = MSG_FAILURE_OTHER, .message = "cannot spawn: the agent is ending"};
	static const struct spawn_failure too_many = {
		.kind = MSG_FAILURE_RESOURCE_LIMIT,
		.message = "cannot spawn: the agent has as many sessions as --max-sessions allows, "
			   "with those whose output others still hold",
	};
	static const struct spawn_failure too_many_of_user = {
		.kind = MSG_FAILURE_RESOURCE_LIMIT,
		.message = "cannot spawn: this user has as many sessions as --max-sessions-of-user "
			   "allows, with those whose output others still hold",
	};
	static const struct spawn_failure no_descriptors = {
		.kind = MSG_FAILURE_RESOURCE_LIMIT,
		.message = "cannot spawn: the agent has no descriptors left but for root; its "
			   "limit of open files is RLIMIT_NOFILE",
	};

	if (host->ending)
		return &too_late;
	if (owner->running && *owner->running >= host->limits.sessions_of_user)
		return &too_many_of_user;
	if (host->job_count >= max_jobs ||
	    (owner_is_limited(owner) && host->job_count >= host->limits.sessions_of_others))
		return &too_many;
	return owner->running && fd_is_scarce() ? &no_descriptors : NULL;
}

void job_start(struct job_host *host, struct outlet *outlet, uint32_t id, const struct owner *owner,
	       struct msg_exec_request *request, size_t max_jobs)
{
	const struct spawn_failure *refusal = refusal_to_start(host, owner, max_jobs);
	struct job *job = refusal ? NULL : calloc(1, sizeof(*job));
	struct spawn_child child;
	struct ledger_note note;

	ledger_open(&host->ledger, owner, request, &note);
	if (!job) {
		refusal = refusal ? refusal : &spawn_no_memory;
		ledger_fails(&note, owner, id, refusal->message);
		tell_failed(host, outlet, id, refusal);
		return;
	}
	job->host = host;
	job->owner = *owner;
	job->entry = note.entry;
	job->started_us = loop_now_us();
	take_options(job, request);
	lively_stir(&host->lively, outlet, job, loop_now_us());
	if (spawn(job, outlet, id, request, &note, &child) < 0) {
		free(job);
		return;
	}
	list_append(&host->jobs, &job->of_host);
	host->job_count++;
	if (owner->running)
		++*owner->running;
	/* Before the pump is filled in: who is attached asks for the process, and hears of nothing yet. */
	job->pid = child.pid;
	job->pump.pty = request->tty;
	join(job, outlet, id);
	record_begin(job, id, &note);
	take_child(job, &child, request);
	log_debug("session %" PRIu64 ": process %d", job->entry.number, job->pid);
}

void job_end_all(struct job_host *host)
{
	struct job *job, *next;

	host->ending = true;
	list_each_safe(job, next, &host->jobs, of_host) {
		if (job->kept)
			kept_hold_no_more(job->kept);
		happen(job, SESSION_SHUTDOWN);
	}
}

void job_free_all(struct job_host *host)
{
	struct job *job;

	while ((job = list_first(&host->jobs, struct job, of_host)))
		release(job);
	ledger_close(&host->ledger);
}
