/* The steps of a spawn, and their failures: see stage.h. */
#include "stage.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "shared/base.h"

#define BY_ERRNO (-1) /* no kind: the errno decides */

static const struct {
	const char *text;
	int kind; /* enum msg_failure, whatever the errno, or BY_ERRNO */
} stages[] = {
	[SPAWN_MEMORY] = {"malloc", MSG_FAILURE_OUT_OF_MEMORY},
	[SPAWN_CMD] = {"cmd", MSG_FAILURE_BAD_ARGS},
	[SPAWN_CWD] = {"cwd", MSG_FAILURE_BAD_CWD},
	[SPAWN_ARGS] = {"args", MSG_FAILURE_BAD_ARGS},
	[SPAWN_ENV] = {"env", MSG_FAILURE_BAD_ARGS},
	[SPAWN_USER] = {"user", MSG_FAILURE_USER_SETUP_FAILED},
	[SPAWN_PATH] = {"execve", MSG_FAILURE_BAD_ARGS},
	[SPAWN_CGROUP] = {"cgroup", MSG_FAILURE_RESOURCE_LIMIT},
	[SPAWN_PIPE] = {"pipe", BY_ERRNO},
	[SPAWN_PTY] = {"openpty", MSG_FAILURE_PTY_SETUP_FAILED},
	[SPAWN_GIVE_PIPES] = {"fchown", BY_ERRNO},
	[SPAWN_GIVE_PTY] = {"fchown", MSG_FAILURE_PTY_SETUP_FAILED},
	[SPAWN_CLONE] = {"clone", BY_ERRNO},
	[SPAWN_SETSID] = {"setsid", MSG_FAILURE_PTY_SETUP_FAILED},
	[SPAWN_CTTY] = {"ioctl(TIOCSCTTY)", MSG_FAILURE_PTY_SETUP_FAILED},
	[SPAWN_STDIO] = {"dup2", MSG_FAILURE_OTHER},
	[SPAWN_SIGNALS] = {"sigprocmask", MSG_FAILURE_OTHER},
	[SPAWN_GROUPS] = {"setgroups", MSG_FAILURE_USER_SETUP_FAILED},
	[SPAWN_RLIMIT] = {"setrlimit", MSG_FAILURE_RESOURCE_LIMIT},
	[SPAWN_PROFILE] = {"security profile", MSG_FAILURE_OTHER},
	[SPAWN_GID] = {"setgid", MSG_FAILURE_USER_SETUP_FAILED},
	[SPAWN_UID] = {"setuid", MSG_FAILURE_USER_SETUP_FAILED},
	[SPAWN_PDEATHSIG] = {"prctl(PR_SET_PDEATHSIG)", MSG_FAILURE_OTHER},
	[SPAWN_CHDIR] = {"chdir", MSG_FAILURE_BAD_CWD},
	[SPAWN_EXEC] = {"execve", BY_ERRNO},
	[SPAWN_INTERPRETER] = {"execve", MSG_FAILURE_NOT_EXECUTABLE},
};

const struct spawn_failure spawn_no_memory = {
	.kind = MSG_FAILURE_OUT_OF_MEMORY, .num = ENOMEM, .message = "cannot spawn: no memory"};

static enum msg_failure kind_of_errno(int num)
{
	static const struct {
		int num;
		enum msg_failure kind;
	} rows[] = {
		{ENOENT, MSG_FAILURE_NOT_FOUND},	 {ENOTDIR, MSG_FAILURE_NOT_FOUND},
		{EACCES, MSG_FAILURE_PERMISSION_DENIED}, {EPERM, MSG_FAILURE_PERMISSION_DENIED},
		{ENOEXEC, MSG_FAILURE_NOT_EXECUTABLE},	 {EISDIR, MSG_FAILURE_NOT_EXECUTABLE},
		{ETXTBSY, MSG_FAILURE_NOT_EXECUTABLE},	 {ELIBBAD, MSG_FAILURE_NOT_EXECUTABLE},
		{E2BIG, MSG_FAILURE_BAD_ARGS},		 {ELOOP, MSG_FAILURE_BAD_ARGS},
		{ENAMETOOLONG, MSG_FAILURE_BAD_ARGS},	 {EFAULT, MSG_FAILURE_BAD_ARGS},
		{ENOMEM, MSG_FAILURE_OUT_OF_MEMORY},	 {EMFILE, MSG_FAILURE_RESOURCE_LIMIT},
		{ENFILE, MSG_FAILURE_RESOURCE_LIMIT},	 {EAGAIN, MSG_FAILURE_RESOURCE_LIMIT},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (rows[i].num == num)
			return rows[i].kind;
	return MSG_FAILURE_OTHER;
}

const char *spawn_stage_text(enum spawn_stage stage)
{
	return stages[stage].text;
}

int spawn_fail(struct spawn_failure *failure, enum spawn_stage stage, const char *cmd,
	       const struct err *err)
{
	char words[ERR_TEXT_MAX + 64];
	int kind = stages[stage].kind;

	if (!cmd)
		cmd = "";
	failure->kind = kind == BY_ERRNO ? kind_of_errno(err->num) : (enum msg_failure)kind;
	failure->num = err->num;
	snprintf(failure->stage, sizeof(failure->stage), "%s",
		 err->stage ? err->stage : stages[stage].text);
	err_words(err, words, sizeof(words));
	/* An error of the program itself is told by its name alone. */
	snprintf(failure->message, sizeof(failure->message), "cannot spawn \"%.200s\"%s: %s", cmd,
		 strlen(cmd) > 200 ? "..." : "", err->text[0] ? words : strerror(err->num));
	return -1;
}
