/* The steps of a spawn, what each is called on the wire, and what its failure means to a client. */
#ifndef MSB_SPAWN_STAGE_H
#define MSB_SPAWN_STAGE_H

#include "shared/err.h"
#include "shared/wire/msg.h"

enum spawn_stage {
	/* The request is read and prepared. */
	SPAWN_MEMORY,
	SPAWN_CMD,
	SPAWN_CWD,
	SPAWN_ARGS,
	SPAWN_ENV,
	SPAWN_USER,
	SPAWN_PATH,
	SPAWN_CGROUP,
	/* The parent makes the child. */
	SPAWN_PIPE,
	SPAWN_PTY,
	SPAWN_GIVE_PIPES,
	SPAWN_GIVE_PTY,
	SPAWN_CLONE,
	/* The child's own steps, in the order they are taken. */
	SPAWN_SETSID,
	SPAWN_CTTY,
	SPAWN_STDIO,
	SPAWN_SIGNALS,
	SPAWN_GROUPS,
	SPAWN_RLIMIT,
	SPAWN_PROFILE,
	SPAWN_GID,
	SPAWN_UID,
	SPAWN_PDEATHSIG,
	SPAWN_CHDIR,
	SPAWN_EXEC,
	SPAWN_INTERPRETER, /* the program is there, and what it is run by is not */
};

/* Why a command could not be run, ready for core.exec.failed. */
struct spawn_failure {
	enum msg_failure kind;
	int num; /* errno or 0 */
	char stage[48];
	char message[ERR_TEXT_MAX + 320];
};

/* Where there was no memory even for the job or its plan. */
extern const struct spawn_failure spawn_no_memory;

/* What the stage is called on the wire. */
const char *spawn_stage_text(enum spawn_stage stage);

/*
 * Fills *failure: the stage's kind, its text or the error's own, which may know better, and "cannot spawn
 * "CMD": " before the error's words; cmd may be NULL. Returns -1.
 */
int spawn_fail(struct spawn_failure *failure, enum spawn_stage stage, const char *cmd,
	       const struct err *err);

#endif
