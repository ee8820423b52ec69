/*
 * The child's half of a spawn: everything between clone and exec, and nothing else. It works from
 * a plan that the parent finished before; it allocates nothing, takes no lock and calls only what
 * may be called after a fork.
 */
#ifndef MSB_CHILD_H
#define MSB_CHILD_H

#include <linux/capability.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "stage.h"

#define CHILD_HEAD_MAX 1024 /* enough for an ELF program to name its loader */

/* What the child writes to the verdict pipe when a step fails; an exec closes the pipe instead. */
struct child_verdict {
	int32_t stage; /* enum spawn_stage */
	int32_t num;   /* errno */
	int32_t limit; /* SPAWN_RLIMIT: which of the plan's limits; -1 for our own */
	/* SPAWN_EXEC: of the plan's paths the one that is there, when what it is run by is not, and
	 * how it begins; -1 for none. */
	int32_t found, head_len;
	unsigned char head[CHILD_HEAD_MAX];
};

struct child_limit {
	int resource;
	struct rlimit value;
};

/* The restricted profile, prepared: see caps.h. */
struct child_caps {
	bool restricted;
	bool had_sys_admin;
	struct __user_cap_data_struct sets[2]; /* ours, less CAP_SYS_ADMIN */
};

/* All pointers are borrowed and must stay until the child is gone or has its own memory. */
struct child_plan {
	pid_t parent;
	/* cgroup.procs of the group to go to before all else, where no clone can; 0: none. */
	int join_fd;
	bool tty;
	/* The pty's slave three times, or pipes, of which the last two may be one. */
	int in_fd, out_fd, err_fd;
	int verdict_fd;
	mode_t umask;
	const struct rlimit *nofile; /* what the daemon had before it raised its own; or NULL */
	const char *oom_score_adj;   /* likewise, as text; or NULL */
	const struct child_limit *limits;
	size_t limit_count;
	const struct child_caps *caps;
	bool switch_user;
	bool drop_caps; /* it becomes another user than ours, and not root */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;
	const char *cwd;    /* NULL: stay */
	bool cwd_optional;  /* where it cannot be entered, the root folder will do */
	char *pwd;	    /* the entry PWD=... of envp, which is to tell of that; or NULL */
	char *const *paths; /* what to try to execute, in order, NULL at the end */
	char *const *argv;
	char *const *envp;
};

_Noreturn void child_run(const struct child_plan *plan);

#endif
