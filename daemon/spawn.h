/*
 * The parent's half of a spawn: validate the request, prepare all that the child needs, clone,
 * and later hear the child's verdict. Never blocks.
 */
#ifndef MSB_SPAWN_H
#define MSB_SPAWN_H

#include <stdbool.h>
#include <sys/types.h>

#include "../shared/err.h"
#include "../shared/msg.h"
#include "child.h"

#define SPAWN_LIMITS_MAX 64 /* that one request, or the defaults, may ask for */

/* What holds for every command of this daemon; what is in here need not outlive spawn_start(). */
struct spawn_config {
	const char *user; /* the default user's spec, or NULL */
	bool only_user;	  /* and no request names another */
	const char *cwd;  /* the default folder, or NULL for the daemon's */
	char *start_cwd;  /* the daemon's, owned; or NULL where it has no name */
	struct child_caps caps;
	struct rlimit nofile;
	bool restore_nofile;
	char oom_score_adj[16]; /* empty: nothing to restore */
	mode_t umask;
	char **env; /* the daemon's own, NULL at the end */
	size_t env_count;
	char *const *default_env; /* over these, and over what tells a command who it is */
	size_t default_env_count;
	const struct child_limit *limits; /* of what a request does not limit itself */
	size_t limit_count;
};

/* Why a command could not be run, ready for core.exec.failed. */
struct spawn_failure {
	enum msg_failure kind;
	int num; /* errno or 0 */
	char stage[48];
	char message[ERR_TEXT_MAX + 320];
};

/* What the daemon holds of a child; each fd is the caller's to close, -1 where there is none. */
struct spawn_child {
	pid_t pid;
	int pid_fd; /* readable once the leader has ended; -1 on kernels without */
	int verdict_fd;
	int in_fd;  /* writing end; with a pty the master, which is out_fd too */
	int out_fd; /* reading end */
	int err_fd; /* reading end; -1 with a pty */
};

/* What the words of a late failure need. Owned; freed by spawn_free(). */
struct spawn;

/*
 * Starts the command. 0 with *ret_child filled and *ret_spawn to be kept until the verdict, or
 * -1 with *failure filled. Consumes the request's lists.
 */
int spawn_start(const struct spawn_config *config, struct msg_exec_request *request,
		struct spawn_child *ret_child, struct spawn **ret_spawn,
		struct spawn_failure *failure);

/*
 * Reads the verdict pipe once it is readable: 1 the command runs, 0 not known yet, -1 with
 * *failure filled.
 */
int spawn_verdict(const struct spawn *spawn, int verdict_fd, struct spawn_failure *failure);

void spawn_free(struct spawn *spawn);

#endif
