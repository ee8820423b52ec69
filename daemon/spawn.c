/* The parent's half of a spawn: see spawn.h. */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/fd.h"
#include "../shared/rlimit.h"
#include "interpreter.h"
#include "pty.h"
#include "spawn_plan.h"

/* The child's ends, closed once it has its copies. */
struct far_ends {
	int in_fd, out_fd, err_fd, verdict_fd;
};

/* How each step is called on the wire, and what its failure means whatever the errno. */
static const struct stage_row {
	const char *stage;
	enum msg_failure kind;
} stages[] = {
	[CHILD_SETSID] = {"setsid", MSG_FAILURE_PTY_SETUP_FAILED},
	[CHILD_CTTY] = {"ioctl(TIOCSCTTY)", MSG_FAILURE_PTY_SETUP_FAILED},
	[CHILD_STDIO] = {"dup2", MSG_FAILURE_OTHER},
	[CHILD_SIGNALS] = {"sigprocmask", MSG_FAILURE_OTHER},
	[CHILD_GROUPS] = {"setgroups", MSG_FAILURE_USER_SETUP_FAILED},
	[CHILD_RLIMIT] = {"setrlimit", MSG_FAILURE_RESOURCE_LIMIT},
	[CHILD_PROFILE] = {"security profile", MSG_FAILURE_OTHER},
	[CHILD_GID] = {"setgid", MSG_FAILURE_USER_SETUP_FAILED},
	[CHILD_UID] = {"setuid", MSG_FAILURE_USER_SETUP_FAILED},
	[CHILD_PDEATHSIG] = {"prctl(PR_SET_PDEATHSIG)", MSG_FAILURE_OTHER},
	[CHILD_CHDIR] = {"chdir", MSG_FAILURE_BAD_CWD},
	[CHILD_EXEC] = {"execve", MSG_FAILURE_OTHER},
};

/* Only where no stage decides: execve itself, the clone, a pipe. */
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

/* One pipe: the end for us non-blocking, the end for the child as commands expect it. */
static int open_pipe(int *ret_ours, int *ret_theirs, bool we_read)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	*ret_ours = ends[we_read ? 0 : 1];
	*ret_theirs = ends[we_read ? 1 : 0];
	/* A new pipe has no other flags that would have to be kept. */
	return fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

static int open_pipes(struct spawn_child *child, struct far_ends *far, struct err *err)
{
	int r = open_pipe(&child->in_fd, &far->in_fd, false);

	if (r == 0)
		r = open_pipe(&child->out_fd, &far->out_fd, true);
	if (r == 0)
		r = open_pipe(&child->err_fd, &far->err_fd, true);
	return r < 0 ? err_set(err, -r, "pipe", "cannot make a pipe") : 0;
}

static int open_pty(const struct msg_exec_request *request, struct spawn_child *child,
		    struct far_ends *far, struct err *err)
{
	const struct msg_exec_resize size = {.rows = request->rows,
					     .cols = request->cols,
					     .xpixel = request->xpixel,
					     .ypixel = request->ypixel};
	int r = pty_open(&size, &child->out_fd, &far->in_fd, err);

	if (r < 0)
		return r;
	child->in_fd = child->out_fd;
	far->out_fd = far->err_fd = far->in_fd;
	return 0;
}

/* What a command opens by name (/dev/stderr, its tty) must be its own user's. */
static int give_away(const struct child_plan *plan, const struct far_ends *far, struct err *err)
{
	int fds[] = {far->in_fd, far->out_fd, far->err_fd};

	if (!plan->switch_user)
		return 0;
	for (size_t i = 0; i < (plan->tty ? 1 : 3); i++)
		/* A terminal keeps the group that devpts gave it. EPERM: the switch will say so. */
		if (fchown(fds[i], plan->uid, plan->tty ? (gid_t)-1 : plan->gid) < 0 &&
		    errno != EPERM)
			return err_set(err, errno, "fchown",
				       "cannot hand over the standard streams");
	return 0;
}

/* Returns the child's number and its pidfd, or -errno. */
static pid_t clone_child(const struct child_plan *plan, int *ret_pid_fd)
{
	struct clone_args args = {
		.flags = CLONE_PIDFD,
		.pidfd = (uint64_t)(uintptr_t)ret_pid_fd,
		.exit_signal = SIGCHLD,
	};
	/* A copy, never shared memory: we go on while the child is still before its exec. */
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0 && (errno == ENOSYS || errno == EPERM)) {
		/* A kernel before 5.3, a seccomp filter, or valgrind. */
		*ret_pid_fd = -1;
		pid = fork();
		if (pid > 0)
			*ret_pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	if (pid == 0)
		child_run(plan);
	return pid < 0 ? -errno : pid;
}

static void close_far_ends(struct far_ends *far)
{
	if (far->out_fd == far->in_fd)
		far->out_fd = far->err_fd = -1;
	fd_close(&far->in_fd);
	fd_close(&far->out_fd);
	fd_close(&far->err_fd);
	fd_close(&far->verdict_fd);
}

static void close_near_ends(struct spawn_child *child)
{
	if (child->out_fd == child->in_fd)
		child->out_fd = -1;
	fd_close(&child->in_fd);
	fd_close(&child->out_fd);
	fd_close(&child->err_fd);
	fd_close(&child->verdict_fd);
}

static int launch(struct spawn *spawn, const struct msg_exec_request *request,
		  struct spawn_child *child, struct spawn_failure *failure)
{
	struct far_ends far = {-1, -1, -1, -1};
	struct child_plan *plan = &spawn->plan;
	enum msg_failure kind = MSG_FAILURE_PTY_SETUP_FAILED;
	struct err err;
	int r;

	r = plan->tty ? open_pty(request, child, &far, &err) : open_pipes(child, &far, &err);
	if (r < 0)
		goto out;
	r = open_pipe(&child->verdict_fd, &far.verdict_fd, true);
	if (r < 0) {
		err_set(&err, -r, "pipe", "cannot make a pipe");
		goto out;
	}
	r = give_away(plan, &far, &err);
	if (r < 0)
		goto out;
	plan->in_fd = far.in_fd;
	plan->out_fd = far.out_fd;
	plan->err_fd = far.err_fd;
	plan->verdict_fd = far.verdict_fd;
	child->pid = clone_child(plan, &child->pid_fd);
	r = child->pid;
	if (r < 0)
		err_set(&err, -r, "clone", "cannot make a process");
out:
	close_far_ends(&far);
	if (r >= 0)
		return 0;
	close_near_ends(child);
	if (!plan->tty || strcmp(err.stage, "clone") == 0 || strcmp(err.stage, "pipe") == 0)
		kind = kind_of_errno(err.num);
	return spawn_fail(spawn, kind, &err, failure);
}

int spawn_start(const struct spawn_config *config, struct msg_exec_request *request,
		struct spawn_child *ret_child, struct spawn **ret_spawn,
		struct spawn_failure *failure)
{
	struct spawn_child child = {-1, -1, -1, -1, -1, -1};
	struct spawn *spawn = calloc(1, sizeof(*spawn));

	if (!spawn) {
		*failure = (struct spawn_failure){.kind = MSG_FAILURE_OUT_OF_MEMORY,
						  .num = ENOMEM,
						  .message = "cannot spawn: no memory"};
		return -1;
	}
	if (spawn_plan(spawn, config, request, failure) < 0 ||
	    launch(spawn, request, &child, failure) < 0) {
		spawn_free(spawn);
		return -1;
	}
	*ret_child = child;
	*ret_spawn = spawn;
	return 0;
}

/* The program is there, and what it is run by is not; both say "not found" by themselves. */
static int fail_interpreter(const struct spawn *spawn, const struct child_verdict *verdict,
			    struct spawn_failure *failure)
{
	const char *path = spawn->paths[verdict->found], *why = "";
	size_t len = verdict->head_len > 0 ? (size_t)verdict->head_len : 0;
	char name[PATH_MAX];
	struct err err;

	interpreter_of(verdict->head, len < sizeof(verdict->head) ? len : sizeof(verdict->head),
		       name, sizeof(name));
	/* The usual reason, and the one that is not to be seen. */
	len = strlen(name);
	if (len && name[len - 1] == '\r') {
		name[len - 1] = '\0';
		why = " (its first line ends with a carriage return)";
	}
	if (name[0])
		err_set(&err, ENOENT, "execve", "the interpreter %.150s%s of %.150s%s%s", name,
			strlen(name) > 150 ? "..." : "", path, strlen(path) > 150 ? "..." : "",
			why);
	else
		err_set(&err, ENOENT, "execve", "the interpreter of %.150s%s", path,
			strlen(path) > 150 ? "..." : "");
	return spawn_fail(spawn, MSG_FAILURE_NOT_EXECUTABLE, &err, failure);
}

int spawn_verdict(const struct spawn *spawn, int verdict_fd, struct spawn_failure *failure)
{
	struct child_verdict verdict;
	const struct stage_row *row;
	char stage[48];
	struct err err;
	ssize_t n;

	do {
		n = read(verdict_fd, &verdict, sizeof(verdict));
	} while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	/* The exec closed the pipe; or the child was killed before it, which its end will tell. */
	if (n != (ssize_t)sizeof(verdict))
		return 1;
	row = &stages[verdict.stage];
	if (verdict.stage == CHILD_EXEC && verdict.num == ENOENT && verdict.found >= 0)
		return fail_interpreter(spawn, &verdict, failure);
	snprintf(stage, sizeof(stage), "%s", row->stage);
	if (verdict.stage == CHILD_RLIMIT && verdict.limit >= 0) {
		int resource = spawn->limits[verdict.limit].resource;

		for (size_t i = 0; i < rlimit_count; i++)
			if (rlimit_names[i].resource == resource)
				snprintf(stage, sizeof(stage), "setrlimit(%s)",
					 rlimit_names[i].macro);
	}
	if (row->kind == MSG_FAILURE_USER_SETUP_FAILED && verdict.num == EPERM && geteuid() != 0)
		err_set(&err, EPERM, stage, "the agent runs as uid %u and cannot become uid %u",
			geteuid(), spawn->user.uid);
	else if (verdict.stage == CHILD_EXEC)
		err_set(&err, verdict.num, stage, "%s", "");
	else if (verdict.stage == CHILD_CHDIR)
		err_set(&err, verdict.num, stage, "chdir %s", spawn->cwd);
	else
		err_set(&err, verdict.num, stage, "%s", stage);
	return spawn_fail(spawn,
			  verdict.stage == CHILD_EXEC || verdict.stage == CHILD_PROFILE
				  ? kind_of_errno(verdict.num)
				  : row->kind,
			  &err, failure);
}

void spawn_free(struct spawn *spawn)
{
	if (!spawn)
		return;
	user_release(&spawn->user);
	free(spawn->limits);
	free(spawn->argv);
	free(spawn->envp);
	free(spawn->paths);
	free(spawn->text);
	free(spawn->made);
	free(spawn->path_text);
	free(spawn->pwd);
	free(spawn);
}
