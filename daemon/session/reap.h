/* Leaders and their sessions: signal them, hear of their end, bury them. */
#ifndef MSB_REAP_H
#define MSB_REAP_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "cgroup.h"
#include "shared/io/loop.h"
#include "shared/list.h"

/* How a leader ended. */
struct reap_status {
	int32_t code;	/* 0 to 255, or -1 when a signal killed it */
	uint8_t signal; /* that signal, or 0 */
	bool core_dumped;
	uint64_t user_us, sys_us; /* of it and the descendants it waited for */
	uint64_t max_rss_kib;
};

/*
 * Looks whether the leader has ended and leaves it a zombie, so that its number stays taken.
 * 1 and the status, 0 when it lives, or -errno.
 */
int reap_peek(pid_t pid, struct reap_status *ret);

/* Takes the zombie away; from here on the number may be anybody's. */
void reap_bury(pid_t pid);

/* Signals the leader's group, or the leader alone where there is no group yet. */
void reap_signal_group(pid_t leader, int signal);

/*
 * A session that is being ended by force. While it is watched, one look through /proc every few
 * milliseconds, for all such sessions together, tells whether any process of it still lives, and
 * kills what it finds if kill is set: that reaches background jobs in groups of their own, and in a control
 * group of its own also what has begun a session itself.
 */
struct reap_watch {
	pid_t session;
	const struct cgroup *cgroup; /* which it has to itself; or NULL */
	bool kill;
	bool alive;  /* found in this look */
	bool denied; /* that it may not be killed has been said */
	bool watched;
	struct list_node node;
	void (*on_empty)(struct reap_watch *watch); /* called once, after it is unwatched */
};

#define REAP_SPARES 2

/* It keeps the descriptors that its looks need: whoever took all others cannot hide from it. */
struct reaper {
	struct loop *loop;
	struct loop_timer timer;
	DIR *proc; /* owned; NULL where there is none */
	int spares[REAP_SPARES];
	uint64_t pause_ms; /* to the next look */
	struct list watches;
	size_t count;
};

void reaper_init(struct reaper *reaper, struct loop *loop);
void reaper_release(struct reaper *reaper);
void reaper_watch(struct reaper *reaper, struct reap_watch *watch);
void reaper_unwatch(struct reaper *reaper, struct reap_watch *watch);

#endif
