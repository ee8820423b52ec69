/* A program that is talked to: see process.h. */
#include "process.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "loop.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/names.h"

#define GRACE_MS 2000 /* from TERM to KILL */
#define LOOK_MS	 20   /* between looks whether it is gone */

extern char **environ;

/*
 * A group of its own: Ctrl-C is for the command, not for what carries it. Our own dispositions are
 * not its business: it may want to die of SIGPIPE.
 */
static int spawn_apart(const char *program, char *const argv[], int fd, int err_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, ours;
	int r;

	sigemptyset(&none);
	sigemptyset(&ours);
	sigaddset(&ours, SIGPIPE);
	sigaddset(&ours, SIGXFSZ);
	posix_spawn_file_actions_init(&actions);
	/* Without one of these it would talk to whoever has ours. */
	r = posix_spawn_file_actions_adddup2(&actions, fd, STDIN_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, fd, STDOUT_FILENO);
	if (r == 0 && err_fd >= 0)
		r = posix_spawn_file_actions_adddup2(&actions, err_fd, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK |
						POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &ours);
	if (r == 0)
		r = posix_spawnp(ret_pid, program, &actions, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&actions);
	return -r;
}

int process_start(const char *program, char *const argv[], int err_fd, pid_t *ret_pid,
		  struct err *err)
{
	cleanup_fd int ours = -1, theirs = -1;
	int pair[2], r;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return err_set(err, errno, NULL, "cannot make a socket pair");
	ours = pair[0];
	theirs = pair[1];
	r = spawn_apart(program, argv, theirs, err_fd, ret_pid);
	if (r < 0)
		return err_set(err, -r, NULL, "cannot start %s", program);
	return fd_steal(&ours);
}

/* Also true where SIGCHLD is ignored, and the kernel reaps in our place. */
static bool is_gone(pid_t pid)
{
	pid_t r;

	do {
		r = waitpid(pid, NULL, WNOHANG);
	} while (r < 0 && errno == EINTR);
	return r != 0;
}

bool process_is_stopped(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	return waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG | WNOWAIT) == 0 &&
	       info.si_pid == pid;
}

/* SIGCHLD must be blocked. Whether it went in time; a signal for us is the end of our patience. */
static bool goes_within(pid_t pid, unsigned ms)
{
	static const int watched[] = {SIGCHLD, SIGINT, SIGTERM, SIGQUIT, SIGHUP};
	uint64_t due = loop_now_ms() + ms;
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(watched); i++)
		sigaddset(&set, watched[i]);
	for (;;) {
		uint64_t now = loop_now_ms(), left = due > now ? due - now : 0;
		struct timespec wait = {(time_t)(left / 1000), (long)(left % 1000) * 1000000};
		int number;

		if (is_gone(pid))
			return true;
		if (!left)
			return false;
		number = sigtimedwait(&set, NULL, &wait);
		if (number > 0 && number != SIGCHLD)
			return is_gone(pid);
	}
}

static void ask_group(pid_t pid)
{
	kill(-pid, SIGTERM);
	/* What is stopped hears of no signal but KILL, and could not clean up. */
	kill(-pid, SIGCONT);
}

void process_end(pid_t pid, unsigned patience_ms)
{
	sigset_t child, before;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, &before);
	if (!goes_within(pid, process_is_stopped(pid) ? 0 : patience_ms)) {
		ask_group(pid);
		if (!goes_within(pid, GRACE_MS)) {
			kill(-pid, SIGKILL);
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
	}
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void on_look(struct loop_timer *timer)
{
	struct process_ending *ending = container_of(timer, struct process_ending, look);
	uint64_t now = loop_now_ms();

	if (is_gone(ending->pid)) {
		ending->pid = 0;
		return;
	}
	if (now >= ending->due_ms) {
		if (ending->asked)
			kill(-ending->pid, SIGKILL);
		else
			ask_group(ending->pid);
		ending->asked = true;
		ending->due_ms = now + GRACE_MS;
	}
	loop_arm(ending->loop, timer, LOOK_MS);
}

void process_end_on(struct process_ending *ending, struct loop *loop, pid_t pid,
		    unsigned patience_ms)
{
	*ending = (struct process_ending){
		.loop = loop,
		.pid = pid,
		.due_ms = loop_now_ms() + patience_ms,
		.look.on_due = on_look,
	};
	loop_arm(loop, &ending->look, 0);
}

void process_end_now(struct process_ending *ending)
{
	uint64_t now = loop_now_ms();

	if (!ending->pid)
		return;
	loop_disarm(ending->loop, &ending->look);
	process_end(ending->pid,
		    !ending->asked && ending->due_ms > now ? (unsigned)(ending->due_ms - now) : 0);
	ending->pid = 0;
}

bool process_beside(const char *const *places, size_t count, char *out, size_t len)
{
	ssize_t n = readlink("/proc/self/exe", out, len - 1);
	size_t folder;
	char *slash;

	out[n > 0 ? n : 0] = '\0';
	slash = strrchr(out, '/');
	if (!slash)
		return false;
	folder = (size_t)(slash + 1 - out);
	for (size_t i = 0; i < count; i++) {
		int more = snprintf(slash + 1, len - folder, "%s", places[i]);

		if ((size_t)more < len - folder && access(out, X_OK) == 0)
			return true;
	}
	return false;
}

int process_become(const char *const *places, size_t count, char *argv[])
{
	char path[PATH_MAX + 64];

	argv[0] = (char *)places[0];
	if (process_beside(places, count, path, sizeof(path)))
		execv(path, argv);
	execvp(argv[0], argv);
	return -errno;
}

const char *process_words(int wait_status, char *out, size_t len)
{
	int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;

	if (number && signal_name(number))
		snprintf(out, len, "signal %d (%s)", number, signal_name(number));
	else if (number)
		snprintf(out, len, "signal %d", number);
	else
		snprintf(out, len, "status %d", WEXITSTATUS(wait_status));
	return out;
}
