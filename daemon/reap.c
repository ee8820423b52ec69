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

#include "../shared/fd.h"

#define LOOK_EVERY_MS 20

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

/* The session of a process that is no zombie, or 0. */
static pid_t session_of(const char *pid)
{
	char path[64], text[512], *end;
	cleanup_fd int fd = -1;
	char state;
	int session;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	/* The name is in brackets and may hold anything; the last bracket ends it. */
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, " %c %*d %*d %d", &state, &session) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : session;
}

static int compare_watches(const void *left, const void *right)
{
	const struct reap_watch *a = *(struct reap_watch *const *)left;
	const struct reap_watch *b = *(struct reap_watch *const *)right;

	return a->session < b->session ? -1 : a->session > b->session;
}

static void look(struct reap_watch **sorted, size_t count)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return;
	while ((entry = readdir(proc))) {
		struct reap_watch key = {0}, *wanted = &key, **found;

		if (!isdigit((unsigned char)entry->d_name[0]))
			continue;
		key.session = session_of(entry->d_name);
		if (!key.session)
			continue;
		found = bsearch(&wanted, sorted, count, sizeof(struct reap_watch *),
				compare_watches);
		if (!found)
			continue;
		(*found)->alive = true;
		if ((*found)->kill)
			kill((pid_t)atoi(entry->d_name), SIGKILL);
	}
	closedir(proc);
}

static void on_look(struct loop_timer *timer)
{
	struct reaper *reaper = (struct reaper *)((char *)timer - offsetof(struct reaper, timer));
	struct reap_watch **sorted = reallocarray(NULL, reaper->count, sizeof(struct reap_watch *));
	struct reap_watch *watch, *next;
	size_t n = 0;

	loop_arm(reaper->loop, &reaper->timer, LOOK_EVERY_MS);
	if (!sorted)
		return;
	for (watch = reaper->watches; watch; watch = watch->next) {
		watch->alive = false;
		sorted[n++] = watch;
		/* Where there is no /proc to look through, this is all we can do. */
		if (watch->kill)
			kill(-watch->session, SIGKILL);
	}
	qsort(sorted, n, sizeof(struct reap_watch *), compare_watches);
	look(sorted, n);
	free(sorted);
	for (watch = reaper->watches; watch; watch = next) {
		next = watch->next;
		if (watch->alive)
			continue;
		reaper_unwatch(reaper, watch);
		watch->on_empty(watch);
	}
}

void reaper_init(struct reaper *reaper, struct loop *loop)
{
	*reaper = (struct reaper){.loop = loop, .timer.on_due = on_look};
}

void reaper_watch(struct reaper *reaper, struct reap_watch *watch)
{
	if (watch->watched)
		return;
	watch->watched = true;
	watch->next = reaper->watches;
	reaper->watches = watch;
	reaper->count++;
	if (reaper->count == 1)
		loop_arm(reaper->loop, &reaper->timer, 0);
}

void reaper_unwatch(struct reaper *reaper, struct reap_watch *watch)
{
	struct reap_watch **at = &reaper->watches;

	if (!watch->watched)
		return;
	while (*at != watch)
		at = &(*at)->next;
	*at = watch->next;
	watch->watched = false;
	reaper->count--;
	if (!reaper->count)
		loop_disarm(reaper->loop, &reaper->timer);
}
