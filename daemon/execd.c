/*
 * msb-execd's main: options, listening sockets, signals, and the way down. Runs in the foreground
 * until SIGTERM or SIGINT, a trusted core.shutdown, or the end of standard input with stdio:.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "../shared/fd.h"
#include "../shared/log.h"
#include "../shared/version.h"
#include "conn.h"
#include "notify.h"
#include "prepare.h"
#include "settings.h"

#define CONNECTIONS_MAX 4096
#define ACCEPTS_A_TURN	32
#define ACCEPT_PAUSE_MS 100 /* after running out of descriptors */
#define LAST_FLUSH_MS	10  /* how often, and how many times, to offer clients the last frames */
#define LAST_FLUSHES	100

struct listener {
	struct execd *execd;
	int fd;
	ino_t ino;
	const struct endpoint *endpoint;
	const char *text;
	struct loop_source source;
};

struct execd {
	struct loop loop;
	struct settings settings;
	struct job_host jobs;
	struct conn_host conns;
	struct listener listeners[SETTINGS_LISTEN_MAX];
	size_t listener_count;
	bool has_stdio; /* and then its end is ours */
	bool ending;
	struct loop_timer accept_pause, last_flush;
	int flushes;
};

static struct execd *execd_of_loop(struct loop *loop)
{
	return (struct execd *)((char *)loop - offsetof(struct execd, loop));
}

/* ---- the way down ---- */

static void close_listeners(struct execd *execd)
{
	for (size_t i = 0; i < execd->listener_count; i++) {
		struct listener *listener = &execd->listeners[i];

		if (listener->fd < 0)
			continue;
		loop_remove(&execd->loop, &listener->source);
		endpoint_unlink(listener->endpoint, listener->ino);
		fd_close(&listener->fd);
	}
}

static void on_jobs_idle(struct job_host *jobs)
{
	struct execd *execd = (struct execd *)((char *)jobs - offsetof(struct execd, jobs));

	/* How the last commands ended is queued by now. */
	if (execd->ending)
		loop_arm(&execd->loop, &execd->last_flush, 0);
}

static void end(struct execd *execd, const char *why)
{
	if (execd->ending)
		return;
	execd->ending = true;
	log_info("ending: %s", why);
	close_listeners(execd);
	job_end_all(&execd->jobs);
	if (!execd->jobs.job_count)
		loop_stop(&execd->loop);
}

static void on_last_flush(struct loop_timer *timer)
{
	struct execd *execd = (struct execd *)((char *)timer - offsetof(struct execd, last_flush));

	if (conn_flush_all(&execd->conns) == 0 || ++execd->flushes == LAST_FLUSHES)
		loop_stop(&execd->loop);
	else
		loop_arm(&execd->loop, timer, LAST_FLUSH_MS);
}

static void on_shutdown(struct conn_host *conns)
{
	struct execd *execd = (struct execd *)((char *)conns - offsetof(struct execd, conns));

	end(execd, "a client asked for it");
}

static void on_closed(struct conn_host *conns)
{
	struct execd *execd = (struct execd *)((char *)conns - offsetof(struct execd, conns));

	if (execd->has_stdio && !conns->conn_count)
		end(execd, "the end of standard input");
	if (execd->ending && !execd->jobs.job_count)
		loop_stop(&execd->loop);
}

static void on_signal(struct loop *loop, const struct loop_signal *signal)
{
	struct execd *execd = execd_of_loop(loop);

	if (execd->ending)
		loop_stop(loop);
	end(execd, strsignal(signal->number));
}

/* ---- clients ---- */

static bool is_allowed(const struct execd *execd, uid_t uid)
{
	if (uid == 0 || uid == geteuid())
		return true;
	for (size_t i = 0; i < execd->settings.uid_count; i++)
		if (execd->settings.uids[i] == uid)
			return true;
	return false;
}

static void greet_client(struct execd *execd, int fd)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);
	bool trusted;
	char name[32];

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0 ||
	    !is_allowed(execd, peer.uid)) {
		log_warn("refused a connection of uid %u; --allow-uid lets it in", peer.uid);
		close(fd);
		return;
	}
	if (execd->conns.conn_count >= CONNECTIONS_MAX) {
		log_warn("refused a connection: %d are open", CONNECTIONS_MAX);
		close(fd);
		return;
	}
	trusted = peer.uid == 0 || peer.uid == geteuid();
	snprintf(name, sizeof(name), "client %d", peer.pid);
	if (conn_open(&execd->conns, fd, fd, trusted, name) < 0)
		log_warn("cannot serve a client: no memory");
}

static void watch_listeners(struct execd *execd, uint32_t want)
{
	for (size_t i = 0; i < execd->listener_count; i++)
		if (execd->listeners[i].fd >= 0)
			loop_want(&execd->loop, &execd->listeners[i].source, want);
}

static void on_accept_pause(struct loop_timer *timer)
{
	struct execd *execd =
		(struct execd *)((char *)timer - offsetof(struct execd, accept_pause));

	watch_listeners(execd, LOOP_IN);
}

static void on_connection(struct loop_source *source, uint32_t ready)
{
	struct listener *listener =
		(struct listener *)((char *)source - offsetof(struct listener, source));
	struct execd *execd = listener->execd;

	(void)ready;
	for (int i = 0; i < ACCEPTS_A_TURN; i++) {
		int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC);

		if (fd >= 0) {
			greet_client(execd, fd);
			continue;
		}
		if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			/* The connection stays in the backlog and would be ready for ever. */
			log_warn("cannot accept: %s", strerror(errno));
			watch_listeners(execd, 0);
			loop_arm(&execd->loop, &execd->accept_pause, ACCEPT_PAUSE_MS);
		}
		if (errno != EINTR && errno != ECONNABORTED)
			return;
	}
}

/* ---- the way up ---- */

static int listen_stdio(struct execd *execd, struct err *err)
{
	int in = STDIN_FILENO, out = STDOUT_FILENO, null_fd;
	struct stat a, b;

	if (fstat(in, &a) < 0 || fstat(out, &b) < 0)
		return err_set(err, errno, NULL, "standard input and output");
	if (fd_is_socket(in) && a.st_dev == b.st_dev && a.st_ino == b.st_ino) {
		in = out = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
	} else {
		in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
		out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		if (!fd_is_socket(in))
			fd_set_nonblock(in);
		if (!fd_is_socket(out))
			fd_set_nonblock(out);
	}
	/* Nothing but frames may get onto the stream. */
	null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (in < 0 || out < 0 || null_fd < 0 || dup2(null_fd, 0) < 0 || dup2(null_fd, 1) < 0)
		return err_set(err, errno, NULL, "standard input and output");
	close(null_fd);
	execd->has_stdio = true;
	if (conn_open(&execd->conns, in, out, true, "stdio") < 0)
		return err_set(err, ENOMEM, NULL, "cannot serve standard input and output");
	return 0;
}

static int listen_all(struct execd *execd, struct err *err)
{
	for (size_t i = 0; i < execd->settings.listen_count; i++) {
		struct listener *listener = &execd->listeners[execd->listener_count++];

		*listener = (struct listener){
			.execd = execd,
			.fd = -1,
			.endpoint = &execd->settings.listen[i],
			.text = execd->settings.listen_text[i],
		};
		if (listener->endpoint->kind == ENDPOINT_STDIO) {
			if (listen_stdio(execd, err) < 0)
				return -1;
			continue;
		}
		listener->fd = endpoint_listen(listener->endpoint, &listener->ino, err);
		if (listener->fd < 0)
			return -1;
		loop_source_init(&listener->source, listener->fd, on_connection);
		if (loop_want(&execd->loop, &listener->source, LOOP_IN) < 0)
			return err_set(err, errno, NULL, "cannot watch %s", listener->text);
	}
	return 0;
}

/* What we were started with must not become what commands start with. */
static int set_signals(struct execd *execd)
{
	struct sigaction hangup = {0};
	sigset_t set;

	/* nohup(1) means it. */
	sigaction(SIGHUP, NULL, &hangup);
	for (int i = 1; i < NSIG; i++)
		signal(i, i == SIGPIPE ? SIG_IGN : SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	if (hangup.sa_handler == SIG_IGN)
		signal(SIGHUP, SIG_IGN);
	else
		sigaddset(&set, SIGHUP);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return loop_signals(&execd->loop, &set, on_signal);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static int start(struct execd *execd, struct err *err)
{
	uint64_t begun = clock_ns(CLOCK_BOOTTIME);
	int r = loop_init(&execd->loop);

	if (r == 0)
		r = set_signals(execd);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot set up the event loop");
	if (prepare_spawns(&execd->settings, &execd->jobs.spawn, err) < 0)
		return -1;
	execd->jobs.loop = &execd->loop;
	execd->jobs.on_idle = on_jobs_idle;
	reaper_init(&execd->jobs.reaper, &execd->loop);
	execd->conns.jobs = &execd->jobs;
	execd->conns.max_jobs = execd->settings.max_sessions;
	execd->conns.on_closed = on_closed;
	execd->conns.on_shutdown = on_shutdown;
	execd->conns.boot_time_ns = begun;
	execd->conns.ready_time_ns = clock_ns(CLOCK_BOOTTIME);
	execd->conns.init_time_ns = execd->conns.ready_time_ns - begun;
	execd->accept_pause.on_due = on_accept_pause;
	execd->last_flush.on_due = on_last_flush;
	return listen_all(execd, err);
}

int main(int argc, char *argv[])
{
	static struct execd execd = {.loop = {.epoll_fd = -1, .signal_fd = -1}};
	char words[ERR_TEXT_MAX + 64];
	struct err err;
	int r;

	fd_open_standard();
	log_init("msb-execd", LOG_LEVEL_WARN);
	if (settings_parse(argc, argv, &execd.settings, &err) < 0) {
		log_error("%s; see msb-execd --help", err_words(&err, words, sizeof(words)));
		return 2;
	}
	if (execd.settings.help) {
		settings_help();
		return 0;
	}
	if (execd.settings.version) {
		puts("msb-execd " MSB_EXEC_VERSION);
		return 0;
	}
	log_init("msb-execd", execd.settings.log_level);
	r = start(&execd, &err);
	if (r < 0) {
		log_error("%s", err_words(&err, words, sizeof(words)));
	} else {
		notify_systemd("READY=1");
		r = loop_run(&execd.loop);
	}
	execd.ending = true;
	close_listeners(&execd);
	conn_close_all(&execd.conns);
	job_free_all(&execd.jobs);
	buf_spare_release(&execd.jobs.spare);
	loop_release(&execd.loop);
	return r < 0 ? 1 : 0;
}
