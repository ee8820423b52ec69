/* Leaders and their sessions: see reap.h. */
#include "reap.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/fd.h"
#include "shared/log.h"

#define LOOK_EVERY_MS 20   /* at first */
#define LOOK_LATER_MS 1000 /* more or less, where somebody does not go */

static uint64_t to_us(struct timeval tv)
{
	return (uint64_t)tv.tv_sec * 1000000 + (uint64_t)tv.tv_usec;
}

int reap_peek(pid_t pid, struct reap_status *ret)
{
	siginfo_t info = {0};
	struct rusage usage = {0};

	/* The raw call: the library's waitid() leaves out the fifth argument, the usage. */
	if (syscall(SYS_waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT, &usage) < 0)
		return -errno;
	if (info.si_pid == 0)
		return 0;
	*ret = (struct reap_status){
		.code = info.si_code == CLD_EXITED ? info.si_status : -1,
		.signal = info.si_code == CLD_EXITED ? 0 : (uint8_t)info.si_status,
		.core_dumped = info.si_code == CLD_DUMPED,
		.user_us = to_us(usage.ru_utime),
		.sys_us = to_us(usage.ru_stime),
		.max_rss_kib = (uint64_t)usage.ru_maxrss,
	};
	return 1;
}

void reap_bury(pid_t pid)
{
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

void reap_signal_group(pid_t leader, int signal)
{
	/* 0 would be our own group, 1 would be everybody. */
	if (leader <= 1)
		return;
	/* Until it has called setsid there is no group of its number. */
	if (kill(-leader, signal) < 0 && errno == ESRCH)
		kill(leader, signal);
}

/* ---- looking through /proc ---- */

enum looked {
	LOOKED_GONE = -1,  /* nobody there that lives, or that is ours to see */
	LOOKED_BLIND = -2, /* no descriptor or no memory: nothing is known */
};

static int seen(int num)
{
	return num == EMFILE || num == ENFILE || num == ENOMEM ? LOOKED_BLIND : LOOKED_GONE;
}

/* The session of a process that lives, or an enum looked. */
static int session_of(int proc_fd, const char *pid)
{
	char path[32], text[512], *end;
	cleanup_fd int fd = -1;
	int session, threads;
	char state;
	ssize_t n;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return seen(errno);
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return n < 0 ? seen(errno) : LOOKED_GONE;
	text[n] = '\0';
	/* The name is in brackets and may hold anything; the last bracket ends it. */
	end = strrchr(text, ')');
	if (!end ||
	    sscanf(end + 1, " %c %*d %*d %d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %d",
		   &state, &session, &threads) != 3)
		return LOOKED_GONE;
	/* A main thread that has ended is a zombie, while others may go on. */
	if ((state == 'Z' || state == 'X') && threads <= 1)
		return LOOKED_GONE;
	return session;
}

/*
 * Kills it if it is still of that session: between a look and a kill by number the number may have
 * become somebody else's. 0 or -errno.
 */
static int kill_member(int proc_fd, const char *text, pid_t session)
{
	pid_t pid = (pid_t)atoi(text);
	cleanup_fd int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	int now;

	/* Of before Linux 5.3, or forbidden by a filter. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		return kill(pid, SIGKILL) < 0 ? -errno : 0;
	if (fd < 0)
		return errno == ESRCH ? 0 : -errno;
	now = session_of(proc_fd, text);
	if (now != session)
		return now == LOOKED_BLIND ? -EMFILE : 0;
	return syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0) < 0 && errno != ESRCH ? -errno
											  : 0;
}

static int compare_watches(const void *left, const void *right)
{
	const struct reap_watch *a = *(struct reap_watch *const *)left;
	const struct reap_watch *b = *(struct reap_watch *const *)right;

	return a->session < b->session ? -1 : a->session > b->session;
}

static void take_spares(struct reaper *reaper)
{
	for (size_t i = 0; i < REAP_SPARES; i++)
		if (reaper->spares[i] < 0)
			reaper->spares[i] = fcntl(dirfd(reaper->proc), F_DUPFD_CLOEXEC, 3);
}

/* For each look: a file of a process, and a hold on it. */
static void give_spares(struct reaper *reaper)
{
	for (size_t i = 0; i < REAP_SPARES; i++)
		fd_close(&reaper->spares[i]);
}

/* 0; -EAGAIN if it cannot be opened now; another -errno where there is none. */
static int open_proc(struct reaper *reaper)
{
	if (reaper->proc)
		return 0;
	reaper->proc = opendir("/proc");
	if (!reaper->proc)
		return seen(errno) == LOOKED_BLIND ? -EAGAIN : -errno;
	take_spares(reaper);
	return 0;
}

static bool meet(struct reaper *reaper, struct reap_watch *watch, const char *pid)
{
	int r;

	watch->alive = true;
	if (!watch->kill)
		return true;
	r = kill_member(dirfd(reaper->proc), pid, watch->session);
	if (r == -EPERM && !watch->denied) {
		watch->denied = true;
		log_caused(LOG_LEVEL_WARN, "process %s of session %d cannot be killed: %s", pid,
			   watch->session, strerror(-r));
	}
	return r == 0 || r == -EPERM;
}

/* In groups of their own. Of one that cannot be looked at somebody may live; the others are not held up by it. */
static void look_into_groups(struct reap_watch **watches, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct reap_watch *watch = watches[i];
		int r;

		if (!watch->cgroup)
			continue;
		r = watch->kill ? cgroup_kill(watch->cgroup) : 0;
		if (r < 0)
			log_debug("the control group of session %d cannot be killed: %s",
				  watch->session, strerror(-r));
		watch->alive |= cgroup_is_populated(watch->cgroup) != 0;
	}
}

/* Whether all was seen: who was not met then does not live. */
static bool look(struct reaper *reaper, struct reap_watch **sorted, size_t count)
{
	struct dirent *entry;
	bool all = true;

	give_spares(reaper);
	look_into_groups(sorted, count);
	rewinddir(reaper->proc);
	while ((errno = 0, entry = readdir(reaper->proc))) {
		struct reap_watch key = {0}, *wanted = &key, **found;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		key.session = session_of(dirfd(reaper->proc), entry->d_name);
		if (key.session == LOOKED_BLIND)
			all = false;
		if (key.session <= 0)
			continue;
		found = bsearch(&wanted, sorted, count, sizeof(struct reap_watch *),
				compare_watches);
		if (found && !meet(reaper, *found, entry->d_name))
			all = false;
	}
	all = all && errno == 0;
	take_spares(reaper);
	return all;
}

/* Nobody is called empty who could not be looked for: what is not known now is looked for again. */
static void on_look(struct loop_timer *timer)
{
	struct reaper *reaper = container_of(timer, struct reaper, timer);
	struct reap_watch **sorted = reallocarray(NULL, reaper->count, sizeof(struct reap_watch *));
	struct reap_watch *watch, *next;
	size_t n = 0;
	int r;

	loop_arm(reaper->loop, &reaper->timer, reaper->pause_ms);
	if (!sorted)
		return;
	/* Whoever is killed goes at once, or not for long. */
	if (reaper->pause_ms < LOOK_LATER_MS)
		reaper->pause_ms += reaper->pause_ms / 4;
	list_each(watch, &reaper->watches, node) {
		watch->alive = false;
		sorted[n++] = watch;
		if (!watch->kill)
			reaper->pause_ms = LOOK_EVERY_MS;
		/* Where there is no /proc to look through, this is all we can do. */
		if (watch->kill)
			kill(-watch->session, SIGKILL);
	}
	qsort(sorted, n, sizeof(struct reap_watch *), compare_watches);
	r = open_proc(reaper);
	if (r == 0 && !look(reaper, sorted, n))
		r = -EAGAIN;
	free(sorted);
	if (r == -EAGAIN)
		return;
	list_each_safe(watch, next, &reaper->watches, node) {
		if (watch->alive)
			continue;
		reaper_unwatch(reaper, watch);
		watch->on_empty(watch);
	}
}

void reaper_init(struct reaper *reaper, struct loop *loop)
{
	*reaper = (struct reaper){.loop = loop, .timer.on_due = on_look};
	for (size_t i = 0; i < REAP_SPARES; i++)
		reaper->spares[i] = -1;
	/* While there are descriptors. */
	open_proc(reaper);
}

void reaper_release(struct reaper *reaper)
{
	give_spares(reaper);
	if (reaper->proc)
		closedir(reaper->proc);
	reaper->proc = NULL;
}

void reaper_watch(struct reaper *reaper, struct reap_watch *watch)
{
	reaper->pause_ms = LOOK_EVERY_MS;
	loop_arm(reaper->loop, &reaper->timer, 0);
	if (watch->watched)
		return;
	watch->watched = true;
	watch->denied = false;
	list_append(&reaper->watches, &watch->node);
	reaper->count++;
}

void reaper_unwatch(struct reaper *reaper, struct reap_watch *watch)
{
	if (!watch->watched)
		return;
	list_remove(&reaper->watches, &watch->node);
	watch->watched = false;
	reaper->count--;
	if (!reaper->count)
		loop_disarm(reaper->loop, &reaper->timer);
}
