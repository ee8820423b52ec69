/*
 * Control groups (cgroup v2) for sessions that want one, or are bound to have one: nothing of a session can
 * leave its own, so all of it can be killed, and limited. They are made below the daemon's, when the first one
 * is wanted.
 */
#ifndef MSB_CGROUP_H
#define MSB_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"
#include "shared/io/loop.h"
#include "shared/list.h"

/* 0: no limit. */
struct cgroup_limits {
	uint64_t memory; /* bytes, without swap */
	uint64_t cpu_millis;
	uint64_t pids;
};

/* All of a daemon's. */
struct cgroups {
	struct loop *loop;
	struct cgroup_limits bounds; /* of each, whatever is asked */
	int fd;			     /* the folder that they are made in; -1: none was wanted yet */
	char *path;		     /* its own, for messages; owned */
	bool whole;		     /* that was all that there is in a namespace of ours */
	unsigned enabled;	     /* a bit for each controller */
	unsigned long made;
	struct list left; /* with somebody in them whose session is over */
	struct loop_timer sweep;
};

/* One session's. */
struct cgroup;

void cgroups_init(struct cgroups *cgroups, struct loop *loop, const struct cgroup_limits *bounds);
void cgroups_release(struct cgroups *cgroups);

/* Whether there will be one for a session that asks for these. */
bool cgroups_want(const struct cgroups *cgroups, bool asked, const struct cgroup_limits *limits);

/*
 * Finds the place and has the kernel limit there what the bounds and these limits say; what is done already is not
 * done again. 0, or -errno with *err filled.
 */
int cgroups_prepare(struct cgroups *cgroups, const struct cgroup_limits *limits, struct err *err);

/* A new one with these limits, or the bounds where they are lower. 0, or -errno with *err filled. */
int cgroup_make(struct cgroups *cgroups, const struct cgroup_limits *limits, struct cgroup **ret,
		struct err *err);

/* Its folder, for a clone into it: a new fd that the caller closes, or -errno. */
int cgroup_open(const struct cgroup *cgroup);

/* Kills all that is in it, with what is in those that were made below it. 0 or -errno. */
int cgroup_kill(const struct cgroup *cgroup);

/* 1: somebody in it lives, 0: nobody; -errno: that could not be found out. */
int cgroup_is_populated(const struct cgroup *cgroup);

/* Whether the kernel killed something in it for want of memory. Known where memory is limited. */
bool cgroup_had_oom(const struct cgroup *cgroup);

/* The session is over: removed now, or once nobody is in it. NULL is legal. */
void cgroup_leave(struct cgroup *cgroup);

#endif
