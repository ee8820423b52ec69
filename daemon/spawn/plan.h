/* From a request to all that its child needs. */
#ifndef MSB_SPAWN_PLAN_H
#define MSB_SPAWN_PLAN_H

#include <stdbool.h>
#include <sys/types.h>

#include "child.h"
#include "shared/wire/msg.h"
#include "stage.h"
#include "user.h"

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

/* What the child needs, with the memory behind it; and, until the verdict, what a failure is told with. */
struct spawn_plan {
	struct child_plan child; /* but its descriptors */
	bool merges;		 /* one pipe is its stdout and its stderr */
	struct user user;
	struct child_limit *limits; /* owned, as is all below */
	char **argv, **envp, **paths;
	char *text;	 /* one block: cmd, cwd, args, env */
	char *pwd;	 /* PWD=, and behind it the folder */
	char *made;	 /* one block: HOME= and the like */
	char *path_text; /* one block: the paths to try */
	char *cmd, *cwd; /* inside text, or pwd */
};

/* Consumes the request's lists. NULL with *failure filled. */
struct spawn_plan *spawn_plan_new(const struct spawn_config *config,
				  struct msg_exec_request *request, struct spawn_failure *failure);
void spawn_plan_free(struct spawn_plan *plan);

#endif
