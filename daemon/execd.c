/*
 * msb-execd's main: what it serves, and the way down. Runs in the foreground until SIGTERM or
 * SIGINT, a trusted core.shutdown, or the end of standard input with stdio:.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/door/guard.h"
#include "daemon/door/listen.h"
#include "daemon/door/notify.h"
#include "daemon/door/passed.h"
#include "daemon/door/signals.h"
#include "daemon/init/init.h"
#include "daemon/serve/boot.h"
#include "daemon/serve/dispatch.h"
#include "daemon/serve/port.h"
#include "daemon/serve/stdio.h"
#include "prepare.h"
#include "settings.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"
#include "shared/version.h"

#define LAST_FLUSH_MS 10 /* how often, and how many times, to offer clients the last frames */
#define LAST_FLUSHES  100
#define LAST_CALL_MS  5000 /* how long clients may take, from the beginning of the end */
#define BAD_USAGE     2	   /* the exit status; the unit does not try again after it */
#define GIVE_UP_MS    5000 /* and commands after that, which were killed long ago */

struct execd {
	struct loop loop;
	struct settings settings;
	struct job_host jobs;
	struct dispatch dispatch;
	struct boot boot;
	struct listen_host listen;
	struct port_host ports;
	bool has_stdio; /* and then its end is ours */
	bool ending;
	struct loop_timer last_call, last_flush, give_up;
	int flushes;
};

/* ---- the way down ---- */

/* No command is left, and how each ended is queued by now. */
static void say_the_last(struct execd *execd)
{
	if (!execd->last_flush.armed)
		loop_arm(&execd->loop, &execd->last_flush, 0);
}

static void on_jobs_idle(struct job_host *jobs)
{
	struct execd *execd = container_of(jobs, struct execd, jobs);

	if (execd->ending)
		say_the_last(execd);
}

static void end(struct execd *execd, const char *why)
{
	if (execd->ending)
		return;
	execd->ending = true;
	log_info("ending: %s", why);
	listen_close_all(&execd->listen);
	port_retire_all(&execd->ports);
	loop_arm(&execd->loop, &execd->last_call, LAST_CALL_MS);
	job_end_all(&execd->jobs);
	if (!execd->jobs.job_count)
		say_the_last(execd);
}

/* A session is over once its client has taken all of its output, which may be never. */
static void on_last_call(struct loop_timer *timer)
{
	struct execd *execd = container_of(timer, struct execd, last_call);

	log_warn("ending: not waiting any longer for clients that do not take what there is");
	conn_close_all(&execd->dispatch.conns);
	if (execd->jobs.job_count)
		loop_arm(&execd->loop, &execd->give_up, GIVE_UP_MS);
}

/* Who may not be killed, or hangs in the kernel, is not waited for. */
static void on_give_up(struct loop_timer *timer)
{
	struct execd *execd = container_of(timer, struct execd, give_up);

	log_error("ending: %zu commands could not be ended and are left", execd->jobs.job_count);
	loop_stop(&execd->loop);
}

static void on_last_flush(struct loop_timer *timer)
{
	struct execd *execd = container_of(timer, struct execd, last_flush);

	size_t left = conn_flush_all(&execd->dispatch.conns);

	if ((!left && !keeper_owes(&execd->jobs.keeper)) || ++execd->flushes == LAST_FLUSHES)
		loop_stop(&execd->loop);
	else
		loop_arm(&execd->loop, timer, LAST_FLUSH_MS);
}

static void on_shutdown(struct dispatch *dispatch)
{
	struct execd *execd = container_of(dispatch, struct execd, dispatch);

	end(execd, "a client asked for it");
}

static void on_closed(struct conn_host *conns)
{
	struct execd *execd = container_of(conns, struct execd, dispatch.conns);

	if (execd->has_stdio && !conns->conn_count)
		end(execd, "the end of standard input");
	/* Others may still have to hear how their last commands ended. */
	if (execd->ending && !execd->jobs.job_count)
		say_the_last(execd);
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct execd *execd = container_of(loop, struct execd, loop);

	if (execd->ending)
		loop_stop(loop);
	end(execd, strsignal(signal->number));
}

/* ---- clients ---- */

static bool make_room(struct listen_host *listen, const struct peer_use *of)
{
	return conn_make_room(&container_of(listen, struct execd, listen)->dispatch.conns, of);
}

static void on_client(struct listen_host *listen, int fd, const struct peer *peer)
{
	struct execd *execd = container_of(listen, struct execd, listen);

	if (conn_open(&execd->dispatch.conns, fd, fd, peer) < 0)
		log_caused(LOG_LEVEL_WARN, "cannot serve a client: no memory");
}

/* ---- the way up ---- */

static int listen_stdio(struct execd *execd, struct err *err)
{
	static const struct peer peer = {.trusted = true, .name = "stdio"};
	int in, out, r = stdio_take(&in, &out, err);

	if (r < 0)
		return r;
	execd->has_stdio = true;
	if (conn_open(&execd->dispatch.conns, in, out, &peer) < 0)
		return err_set(err, ENOMEM, NULL, "cannot serve standard input and output");
	return 0;
}

/* What systemd passed, and what the command line names; only without either the usual place. */
static int listen_all(struct execd *execd, int passed, struct err *err)
{
	int r = passed_listen(&execd->listen, passed, err);

	bool usual = !passed && !execd->settings.listen_count;

	if (r == 0 && usual)
		r = settings_listen_default(&execd->settings, err);
	for (size_t i = 0; r == 0 && i < execd->settings.listen_count; i++) {
		const struct endpoint *endpoint = &execd->settings.listen[i];

		if (endpoint->kind == ENDPOINT_STDIO)
			r = listen_stdio(execd, err);
		else if (endpoint->kind == ENDPOINT_SERIAL)
			r = port_open(&execd->ports, endpoint, err);
		else
			r = listen_open(&execd->listen, endpoint, err);
	}
	if (r < 0 && usual && !err->hint[0])
		err_hint(err, "--listen unix:/path names another place");
	return r;
}

/*
 * Who starts us on a socket, as msb-exec's exec: and sshd do, would wait for ever for what goes to the
 * usual place instead.
 */
static int check_stdin(const struct settings *settings, int passed, struct err *err)
{
	if (passed || settings->listen_count || !fd_is_socket(STDIN_FILENO))
		return 0;
	err_set(err, 0, NULL, "standard input is a socket, and no --listen says what to serve");
	return err_hint(err, "--listen stdio: serves it, as exec:msb-execd --listen stdio: wants; "
			     "--listen unix:/path serves a place");
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static struct job_limits limits_of(const struct settings *settings)
{
	return (struct job_limits){
		.has_linger = settings->linger_ms != DURATION_INFINITE,
		.linger_ms = settings->linger_ms,
		.max_time_ms = settings->max_time_ms,
		.sessions_of_user = settings->budget.sessions_of_user,
		.sessions_of_others = budget_of_others(settings->max_sessions),
	};
}

/* What ends with its one client keeps nothing for a next one. */
static bool is_private(const struct settings *settings)
{
	for (size_t i = 0; i < settings->listen_count; i++)
		if (settings->listen[i].kind == ENDPOINT_STDIO)
			return true;
	return false;
}

static void prepare_keeper(struct execd *execd)
{
	const struct settings *settings = &execd->settings;
	struct keeper *keeper = &execd->jobs.keeper;

	keeper->keeps = !is_private(settings) && settings->max_kept > 0;
	keeper->max = settings->max_kept;
	keeper->max_of_user = settings->max_kept_of_user;
	keeper->max_of_others = budget_of_others(settings->max_kept);
	keeper->host = (struct kept_host){
		.loop = &execd->loop,
		.spare = &execd->jobs.spare,
		.activity = &execd->jobs.activity,
		.replay = (size_t)settings->replay,
		.total.limit = (size_t)settings->replay_total,
		.keep_ended_ms = settings->keep_ended_ms,
	};
	keeper_init(keeper);
}

static const struct conn_calls client_calls = {.on_frame = dispatch_frame};

static int start(struct execd *execd, int passed, struct err *err)
{
	static const struct cgroup_limits none;
	uint64_t begun = clock_ns(CLOCK_BOOTTIME);
	int r;

	/* First of all: they hold descriptors, of which 0 would be one when nothing came of the rest. */
	reaper_init(&execd->jobs.reaper, &execd->loop);
	cgroups_init(&execd->jobs.cgroups, &execd->loop, &execd->settings.bounds);
	r = loop_init(&execd->loop);
	if (r == 0)
		r = signals_set(&execd->loop, on_signal);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot set up the event loop");
	prepare_spawns(&execd->jobs.spawn);
	boot_init(&execd->boot, &execd->jobs.spawn);
	execd->jobs.loop = &execd->loop;
	execd->jobs.on_idle = on_jobs_idle;
	execd->jobs.limits = limits_of(&execd->settings);
	prepare_keeper(execd);
	ledger_init(&execd->jobs.ledger, &execd->loop);
	if (cgroups_want(&execd->jobs.cgroups, false, &none) &&
	    cgroups_prepare(&execd->jobs.cgroups, &none, err) < 0)
		return err_about(err, "--session-memory, -cpus and -pids");
	execd->dispatch.conns.jobs = &execd->jobs;
	execd->dispatch.max_jobs = execd->settings.max_sessions;
	execd->dispatch.conns.budget = &execd->settings.budget;
	execd->jobs.spare.limit = budget_memory(&execd->settings.budget);
	execd->dispatch.conns.calls = &client_calls;
	execd->dispatch.conns.on_closed = on_closed;
	execd->dispatch.on_shutdown = on_shutdown;
	execd->dispatch.conns.boot_time_ns = begun;
	execd->dispatch.conns.ready_time_ns = clock_ns(CLOCK_BOOTTIME);
	execd->ports.loop = &execd->loop;
	execd->ports.dispatch = &execd->dispatch;
	execd->ports.boot = &execd->boot;
	execd->listen.loop = &execd->loop;
	execd->listen.rules = &execd->settings.allow;
	execd->listen.taken = &execd->dispatch.conns.conn_count;
	execd->listen.budget = &execd->settings.budget;
	execd->listen.make_room = make_room;
	execd->listen.on_client = on_client;
	execd->last_call.on_due = on_last_call;
	execd->last_flush.on_due = on_last_flush;
	execd->give_up.on_due = on_give_up;
	return listen_all(execd, passed, err);
}

/* What can be wrong before anything is served: the exit status, or -1. */
static int prepare(struct execd *execd, int *ret_passed, struct err *err)
{
	*ret_passed = passed_take(err);
	if (*ret_passed < 0)
		return 1;
	if (prepare_settings(&execd->settings, &execd->jobs.spawn, err) < 0)
		return prepare_is_usage(err) ? BAD_USAGE : 1;
	if (check_stdin(&execd->settings, *ret_passed, err) < 0)
		return BAD_USAGE;
	if (execd->jobs.spawn.only_user)
		log_info("commands run as %s and nobody else", execd->jobs.spawn.user);
	return -1;
}

static void release(struct execd *execd)
{
	execd->ending = true;
	listen_close_all(&execd->listen);
	port_retire_all(&execd->ports);
	conn_close_all(&execd->dispatch.conns);
	port_close_all(&execd->ports);
	job_free_all(&execd->jobs);
	keeper_remove_all(&execd->jobs.keeper);
	reaper_release(&execd->jobs.reaper);
	cgroups_release(&execd->jobs.cgroups);
	boot_release(&execd->boot);
	buf_spare_release(&execd->jobs.spare);
	loop_release(&execd->loop);
	log_rates_end();
	stdio_give_back();
}

int main(int argc, char *argv[])
{
	static struct execd execd = {.loop = {.epoll_fd = -1, .signal_fd = -1}};
	struct err err;
	int passed, status, r;

	guard_memory();
	fd_open_standard();
	log_init("msb-execd", LOG_LEVEL_WARN);
	if (settings_parse(argc, argv, &execd.settings, &err) < 0) {
		log_err(&err);
		return BAD_USAGE;
	}
	if (execd.settings.help) {
		settings_help();
		return log_flushed_stdout() ? 0 : 1;
	}
	if (execd.settings.version) {
		puts("msb-execd " MSB_EXEC_VERSION);
		return log_flushed_stdout() ? 0 : 1;
	}
	log_init("msb-execd", execd.settings.log_level);
	log_never_wait();
	budget_return_memory();
	if (execd.settings.init && init_supervise(&r))
		return r;
	status = prepare(&execd, &passed, &err);
	if (status >= 0) {
		log_err(&err);
		return status;
	}
	r = start(&execd, passed, &err);
	if (r < 0) {
		log_err(&err);
	} else {
		notify_systemd("READY=1");
		r = loop_run(&execd.loop);
	}
	release(&execd);
	return r < 0 ? 1 : 0;
}
