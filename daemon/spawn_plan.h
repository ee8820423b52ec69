/* The preparation of a spawn, and the words for its failures. For spawn.c and spawn_plan.c. */
#ifndef MSB_SPAWN_PLAN_H
#define MSB_SPAWN_PLAN_H

#include "spawn.h"
#include "user.h"

/* All that a child needs, with the memory behind it. */
struct spawn {
	struct child_plan plan;
	struct user user;
	struct child_limit *limits; /* owned, as is all below */
	char **argv, **envp, **paths;
	char *text;	 /* one block: cmd, cwd, args, env */
	char *pwd;	 /* PWD=, and behind it the folder */
	char *made;	 /* one block: HOME= and the like */
	char *path_text; /* one block: the paths to try */
	char *cmd, *cwd; /* inside text, or pwd */
};

/*
 * Fills everything in spawn->plan but the descriptors. 0, or -1 with *failure filled. On either
 * the caller frees the spawn.
 */
int spawn_plan(struct spawn *spawn, const struct spawn_config *config,
	       struct msg_exec_request *request, struct spawn_failure *failure);

/* Fills *failure: a kind, and "cannot spawn "CMD": " before the error's words. Returns -1. */
int spawn_fail(const struct spawn *spawn, enum msg_failure kind, const struct err *err,
	       struct spawn_failure *failure);

#endif
