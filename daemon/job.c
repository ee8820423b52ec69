/* One command of one client, alive: see job.h. */
#include "job.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/fd.h"
#include "../shared/log.h"
#include "job_inside.h"

#define GRACE_MS 2000
#define POLL_MS	 20 /* where there is no pidfd */

/* ---- carrying out what the session decides ---- */

static void send_started(struct job *job)
{
	struct msg_exec_started started = {
		.pid = (uint32_t)job->pid,
		.stdin_window = job->input.window,
	};

	job_told(job, msg_put_exec_started(job->outlet->frames, job->id, &started));
	if (job->input_error)
		job_tell_input_error(job, job->input_error);
	job_watch_pump(job);
}

static void send_exited(struct job *job)
{
	struct msg_exec_exited exited = {
		.code = job->status.code,
		.signal = job->status.signal,
		.core_dumped = job->status.core_dumped,
		.timed_out = job->session.timed_out,
		.usage = {job->status.user_us, job->status.sys_us, loop_now_us() - job->started_us,
			  job->status.max_rss_kib},
		.has_usage = true,
	};

	job_told(job, msg_put_exec_exited(job->outlet->frames, job->id, &exited));
}

/* For a job, and where no job came to be. */
static void tell_failed(struct job_host *host, struct job_outlet *outlet, uint32_t id,
			const struct spawn_failure *failure)
{
	int r = msg_put_exec_failed(outlet->frames, id, failure->kind, failure->num,
				    failure->message, failure->stage[0] ? failure->stage : NULL);

	if (r < 0)
		log_warn("session %u: cannot queue a frame: %s", id, strerror(-r));
	host->activity++;
	loop_mark(host->loop, outlet->flush);
}

/* Whether the end is the one that the request described, and not the daemon's. */
static bool has_own_manner(const struct job *job)
{
	return job->session.timed_out && !job->session.overdue;
}

/* A stopped process acts on nothing but KILL, so each request to end comes with a CONT. */
static void ask_to_end(struct job *job)
{
	int signal = job->pump.pty ? SIGHUP : SIGTERM;

	if (has_own_manner(job))
		signal = job->timeout_signal;
	reap_signal_group(job->pid, signal);
	reap_signal_group(job->pid, SIGCONT);
}

static void hang_up(struct job *job)
{
	reap_signal_group(job->pid, SIGHUP);
	reap_signal_group(job->pid, SIGCONT);
}

static void free_job(struct loop_grave *grave)
{
	free(container_of(grave, struct job, grave));
}

static void release(struct job *job)
{
	struct job_host *host = job->host;

	job_detach(job);
	loop_disarm(host->loop, &job->timeout);
	loop_disarm(host->loop, &job->max_time);
	loop_disarm(host->loop, &job->grace);
	loop_disarm(host->loop, &job->linger);
	loop_disarm(host->loop, &job->limit);
	loop_disarm(host->loop, &job->parked);
	loop_disarm(host->loop, &job->poll);
	reaper_unwatch(&host->reaper, &job->watch);
	loop_remove(host->loop, &job->pid_source);
	loop_remove(host->loop, &job->verdict_source);
	fd_close(&job->pid_fd);
	fd_close(&job->verdict_fd);
	pump_release(&job->pump);
	spawn_plan_free(job->plan);
	if (job->prev_of_host)
		job->prev_of_host->next_of_host = job->next_of_host;
	else
		host->jobs = job->next_of_host;
	if (job->next_of_host)
		job->next_of_host->prev_of_host = job->prev_of_host;
	host->job_count--;
	loop_bury(host->loop, &job->grave, free_job);
}

static void bury(struct job *job)
{
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
		tell_failed(host, job->outlet, job->id, &job->failure);
	if (actions & SESSION_SEND_EXITED)
		send_exited(job);
	if (actions & SESSION_ASK)
		ask_to_end(job);
	if (actions & SESSION_HANG_UP)
		hang_up(job);
	if (actions & (SESSION_ARM_GRACE | SESSION_ARM_AGAIN))
		loop_arm(host->loop, &job->grace,
			 has_own_manner(job) && job->kill_after_ms ? job->kill_after_ms : GRACE_MS);
	if (actions & SESSION_HASTEN && job->grace.armed &&
	    job->grace.due_ms > loop_now_ms() + GRACE_MS)
		loop_arm(host->loop, &job->grace, GRACE_MS);
	if (actions & SESSION_KILL)
		job->watch.kill = true;
	if (actions & (SESSION_WATCH | SESSION_KILL))
		reaper_watch(&host->reaper, &job->watch);
	if (actions & SESSION_DISCARD) {
		job_detach(job);
		job_watch_pump(job);
	}
	if (actions & SESSION_BURY)
		bury(job);
	if (actions & SESSION_OVER) {
		release(job);
		if (!host->job_count && host->on_idle)
			host->on_idle(host);
	}
}

void job_happen(struct job *job, enum session_event event)
{
	uint32_t actions;

	if (event == SESSION_CLIENT_GONE)
		job->session.hup_before = job->hup_ms && loop_now_ms() - job->hup_ms < GRACE_MS;
	actions = session_event(&job->session, event);
	/* What it was sent comes with a CONT, as all that asks for an end. */
	if (event == SESSION_CLIENT_GONE && (job->session.eased || job->session.asked))
		reap_signal_group(job->pid, SIGCONT);
	if (!(actions & SESSION_OVER) && !(actions & SESSION_DISCARD)) {
		carry_out(job, actions);
		job_run_linger_clocks(job);
		return;
	}
	carry_out(job, actions);
}

/* ---- what the kernel reports ---- */

static void on_verdict(struct loop_source *source, uint32_t ready)
{
	struct job *job = container_of(source, struct job, verdict_source);
	int verdict = spawn_verdict(job->plan, job->verdict_fd, &job->failure);

	(void)ready;
	if (verdict == 0)
		return;
	loop_remove(job->host->loop, &job->verdict_source);
	fd_close(&job->verdict_fd);
	spawn_plan_free(job->plan);
	job->plan = NULL;
	job_happen(job, verdict > 0 ? SESSION_RUNS : SESSION_FAILED);
}

void job_hear_verdict(struct job *job)
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
		log_error("session %u: cannot learn how %d ended: %s", job->id, job->pid,
			  strerror(-r));
		job->status.code = -1;
	}
	loop_remove(job->host->loop, &job->pid_source);
	loop_disarm(job->host->loop, &job->poll);
	job_hear_verdict(job);
	job->read_ms = loop_now_ms();
	if (job->pump.parked)
		loop_arm(job->host->loop, &job->parked, 0);
	job_happen(job, SESSION_LEADER_ENDED);
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
	job_happen(container_of(timer, struct job, timeout), SESSION_TIMED_OUT);
}

static void on_max_time(struct loop_timer *timer)
{
	struct job *job = container_of(timer, struct job, max_time);

	log_info("session %u: process %d runs for longer than --max-time", job->id, job->pid);
	job_happen(job, SESSION_OVERDUE);
}

static void on_grace(struct loop_timer *timer)
{
	job_happen(container_of(timer, struct job, grace), SESSION_GRACE_OVER);
}

static void on_empty(struct reap_watch *watch)
{
	job_happen(container_of(watch, struct job, watch), SESSION_EMPTY);
}

/* ---- starting ---- */

static void take_child(struct job *job, const struct spawn_child *child,
		       const struct msg_exec_request *request)
{
	struct job_host *host = job->host;

	job->pid = job->watch.session = child->pid;
	job->pid_fd = child->pid_fd;
	job->verdict_fd = child->verdict_fd;
	pump_init(&job->pump, host->loop, request->tty, child->in_fd, child->out_fd, child->err_fd,
		  JOB_INPUT_WINDOW + FRAME_WIRE_MAX, &host->spare);
	job->pump.on_output = job_on_output;
	job->pump.on_input = job_on_input;
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
	job_watch_pump(job);
}

/* A terminal's shell takes no time to end, whatever its background jobs have to say. */
static uint64_t linger_of(const struct job_host *host, const struct msg_exec_request *request)
{
	if (request->has_linger)
		return request->linger_ms;
	if (request->tty)
		return 0;
	return host->limits.has_linger ? host->limits.linger_ms : UINT64_MAX;
}

static void take_options(struct job *job, const struct msg_exec_request *request)
{
	int on_disconnect = MSG_DISCONNECT_KILL;

	if (request->on_disconnect.ptr) {
		on_disconnect = msg_on_disconnect_parse(request->on_disconnect);
		if (on_disconnect < 0)
			on_disconnect = MSG_DISCONNECT_KILL;
	}
	job->session.on_disconnect = (enum msg_on_disconnect)on_disconnect;
	job->session.never_kill = request->timeout_ms && !request->kill_after_ms;
	job->session.hangs_up = request->tty;
	job->linger_ms = linger_of(job->host, request);
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
	job->linger.on_due = job_on_linger;
	job->limit.on_due = job_on_limit;
	job->parked.on_due = job_on_parked;
	job->poll.on_due = on_poll;
	job->watch.on_empty = on_empty;
}

void job_start(struct job_host *host, struct job_outlet *outlet, uint32_t id,
	       struct msg_exec_request *request, size_t max_jobs)
{
	static const struct spawn_failure too_many = {
		.kind = MSG_FAILURE_RESOURCE_LIMIT,
		.message = "cannot spawn: the agent has as many sessions as --max-sessions allows, "
			   "with those whose output others still hold",
	};
	static const struct spawn_failure too_late = {
		.kind = MSG_FAILURE_OTHER, .message = "cannot spawn: the agent is ending"};
	static const struct spawn_failure no_memory = {.kind = MSG_FAILURE_OUT_OF_MEMORY,
						       .num = ENOMEM,
						       .message = "cannot spawn: no memory"};
	struct spawn_failure failure = {.num = 0};
	struct spawn_child child;
	struct job *job;

	if (host->ending) {
		tell_failed(host, outlet, id, &too_late);
		return;
	}
	if (host->job_count >= max_jobs) {
		tell_failed(host, outlet, id, &too_many);
		return;
	}
	job = calloc(1, sizeof(*job));
	if (!job) {
		tell_failed(host, outlet, id, &no_memory);
		return;
	}
	job->host = host;
	job->id = id;
	job->started_us = loop_now_us();
	take_options(job, request);
	if (spawn_start(&host->spawn, request, &child, &job->plan, &failure) < 0) {
		tell_failed(host, outlet, id, &failure);
		free(job);
		return;
	}
	job_attach(job, outlet);
	job->next_of_host = host->jobs;
	if (host->jobs)
		host->jobs->prev_of_host = job;
	host->jobs = job;
	host->job_count++;
	take_child(job, &child, request);
	log_debug("session %u: process %d", id, job->pid);
}

/* ---- what comes over the client, or over us ---- */

void job_abandon(struct job *job)
{
	job->session.on_disconnect = MSG_DISCONNECT_KILL;
	job_happen(job, SESSION_CLIENT_GONE);
}

void job_end_all(struct job_host *host)
{
	struct job *job, *next;

	host->ending = true;
	for (job = host->jobs; job; job = next) {
		next = job->next_of_host;
		job_happen(job, SESSION_SHUTDOWN);
	}
}

void job_free_all(struct job_host *host)
{
	while (host->jobs)
		release(host->jobs);
}
