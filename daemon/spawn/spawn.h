/*
 * The parent's half of a spawn: validate the request, prepare all that the child needs, clone,
 * and later hear the child's verdict. Never blocks.
 */
#ifndef MSB_SPAWN_H
#define MSB_SPAWN_H

#include "plan.h"

/* What the daemon holds of a child; each fd is the caller's to close, -1 where there is none. */
struct spawn_child {
	pid_t pid;
	int pid_fd; /* readable once the leader has ended; -1 on kernels without */
	int verdict_fd;
	int in_fd;  /* writing end; with a pty the master, which is out_fd too */
	int out_fd; /* reading end */
	int err_fd; /* reading end; -1 with a pty, and where out_fd brings both */
};

/*
 * Starts the command, in the control group whose folder cgroup_fd is, unless that is -1. 0 with *ret_child filled and *ret_plan to be kept until the verdict and freed by
 * spawn_plan_free(), or -1 with *failure filled. Consumes the request's lists.
 */
int spawn_start(const struct spawn_config *config, struct msg_exec_request *request, int cgroup_fd,
		struct spawn_child *ret_child, struct spawn_plan **ret_plan,
		struct spawn_failure *failure);

/*
 * Reads the verdict pipe once it is readable: 1 the command runs, 0 not known yet, -1 with
 * *failure filled.
 */
int spawn_verdict(const struct spawn_plan *plan, int verdict_fd, struct spawn_failure *failure);

#endif
