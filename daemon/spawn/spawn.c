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

#include "interpreter.h"
#include "pty.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/wire/rlimit.h"

/* One pipe: the end for us non-blocking, the end for the child as commands expect it. */
static int open_pipe(int *ret_ours, int *ret_theirs, bool we_read, struct err *err)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_set(err, errno, NULL, "cannot make a pipe");
	*ret_ours = ends[we_read ? 0 : 1];
	*ret_theirs = ends[we_read ? 1 : 0];
	/* A new pipe has no other flags that would have to be kept. */
	if (fcntl(*ret_ours, F_SETFL, O_NONBLOCK) < 0)
		return err_set(err, errno, NULL, "cannot make a pipe");
	return 0;
}

static int open_pipes(bool merges, struct spawn_child *ours, struct child_plan *theirs,
		      struct err *err)
{
	int r = open_pipe(&ours->in_fd, &theirs->in_fd, false, err);

	if (r == 0)
		r = open_pipe(&ours->out_fd, &theirs->out_fd, true, err);
	if (r == 0 && merges)
		theirs->err_fd = theirs->out_fd;
	else if (r == 0)
		r = open_pipe(&ours->err_fd, &theirs->err_fd, true, err);
	return r;
}

static int open_pty(const struct msg_exec_request *request, struct spawn_child *ours,
		    struct child_plan *theirs, struct err *err)
{
	const struct msg_exec_resize size = {.rows = request->rows,
					     .cols = request->cols,
					     .xpixel = request->xpixel,
					     .ypixel = request->ypixel};
	int r = pty_open(&size, &ours->out_fd, &theirs->in_fd, err);

	if (r < 0)
		return r;
	ours->in_fd = ours->out_fd;
	theirs->out_fd = theirs->err_fd = theirs->in_fd;
	return 0;
}

/* What a command opens by name (/dev/stderr, its tty) must be its own user's. */
static int give_away(const struct child_plan *theirs, struct err *err)
{
	int fds[] = {theirs->in_fd, theirs->out_fd, theirs->err_fd};
	size_t count = theirs->tty ? 1 : theirs->err_fd == theirs->out_fd ? 2 : 3;

	if (!theirs->switch_user)
		return 0;
	for (size_t i = 0; i < count; i++)
		/* A terminal keeps the group that devpts gave it. EPERM: the switch will say so. */
		if (fchown(fds[i], theirs->uid, theirs->tty ? (gid_t)-1 : theirs->gid) < 0 &&
		    errno != EPERM)
			return err_set(err, errno, NULL, "cannot hand over the standard streams");
	return 0;
}

/* Into a group: a kernel before 5.7 does not know how, and says so in several ways. */
static bool cannot_clone(int num, bool into)
{
	/* A kernel before 5.3, a seccomp filter, or valgrind. */
	return num == ENOSYS || num == EPERM || (into && (num == E2BIG || num == EINVAL));
}

/* Returns the child's number and its pidfd, or -errno. */
static pid_t clone_child(struct child_plan *plan, int cgroup_fd, int *ret_pid_fd)
{
	bool into = cgroup_fd >= 0;
	struct clone_args args = {
		.flags = CLONE_PIDFD | (into ? CLONE_INTO_CGROUP : 0),
		.pidfd = (uint64_t)(uintptr_t)ret_pid_fd,
		.exit_signal = SIGCHLD,
		.cgroup = into ? (unsigned)cgroup_fd : 0,
	};
	cleanup_fd int join_fd = -1;
	/* A copy, never shared memory: we go on while the child is still before its exec. */
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (pid < 0 && cannot_clone(errno, into)) {
		*ret_pid_fd = -1;
		if (into) {
			join_fd = openat(cgroup_fd, "cgroup.procs",
					 O_WRONLY | O_CLOEXEC | O_NONBLOCK);
			if (join_fd < 0)
				return -errno;
			plan->join_fd = join_fd;
		}
		pid = fork();
		if (pid > 0)
			*ret_pid_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	}
	if (pid == 0)
		child_run(plan);
	return pid < 0 ? -errno : pid;
}

/* A pty's end is several of them, and the pipe of both outputs two. */
static void close_ends(int in_fd, int out_fd, int err_fd, int verdict_fd)
{
	if (err_fd != out_fd)
		fd_close(&err_fd);
	if (out_fd != in_fd)
		fd_close(&out_fd);
	fd_close(&in_fd);
	fd_close(&verdict_fd);
}

static int launch(const struct spawn_plan *plan, const struct msg_exec_request *request,
		  int cgroup_fd, struct spawn_child *ours, struct spawn_failure *failure)
{
	struct child_plan theirs = plan->child;
	enum spawn_stage stage = theirs.tty ? SPAWN_PTY : SPAWN_PIPE;
	struct err err;
	int r;

	theirs.in_fd = theirs.out_fd = theirs.err_fd = theirs.verdict_fd = -1;
	r = theirs.tty ? open_pty(request, ours, &theirs, &err)
		       : open_pipes(plan->merges, ours, &theirs, &err);
	if (r < 0)
		goto out;
	stage = SPAWN_PIPE;
	r = open_pipe(&ours->verdict_fd, &theirs.verdict_fd, true, &err);
	if (r < 0)
		goto out;
	stage = theirs.tty ? SPAWN_GIVE_PTY : SPAWN_GIVE_PIPES;
	r = give_away(&theirs, &err);
	if (r < 0)
		goto out;
	stage = SPAWN_CLONE;
	r = ours->pid = clone_child(&theirs, cgroup_fd, &ours->pid_fd);
	if (r < 0)
		err_set(&err, -r, NULL, "cannot make a process");
out:
	/* The child has its copies. */
	close_ends(theirs.in_fd, theirs.out_fd, theirs.err_fd, theirs.verdict_fd);
	if (r >= 0)
		return 0;
	close_ends(ours->in_fd, ours->out_fd, ours->err_fd, ours->verdict_fd);
	return spawn_fail(failure, stage, plan->cmd, &err);
}

int spawn_start(const struct spawn_config *config, struct msg_exec_request *request, int cgroup_fd,
		struct spawn_child *ret_child, struct spawn_plan **ret_plan,
		struct spawn_failure *failure)
{
	struct spawn_child child = {-1, -1, -1, -1, -1, -1};
	struct spawn_plan *plan = spawn_plan_new(config, request, failure);

	if (!plan)
		return -1;
	if (launch(plan, request, cgroup_fd, &child, failure) < 0) {
		spawn_plan_free(plan);
		return -1;
	}
	*ret_child = child;
	*ret_plan = plan;
	return 0;
}

/* The program is there, and what it is run by is not; both say "not found" by themselves. */
static int fail_interpreter(const struct spawn_plan *plan, const struct child_verdict *verdict,
			    struct spawn_failure *failure)
{
	const char *path = plan->paths[verdict->found], *why = "";
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
	err_set(&err, ENOENT, NULL, "the interpreter %.150s%s%sof %.150s%s%s", name,
		strlen(name) > 150 ? "..." : "", name[0] ? " " : "", path,
		strlen(path) > 150 ? "..." : "", name[0] ? why : "");
	return spawn_fail(failure, SPAWN_INTERPRETER, plan->cmd, &err);
}

int spawn_verdict(const struct spawn_plan *plan, int verdict_fd, struct spawn_failure *failure)
{
	struct child_verdict verdict;
	enum spawn_stage stage;
	char text[48];
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
	stage = (enum spawn_stage)verdict.stage;
	if (stage == SPAWN_EXEC && verdict.num == ENOENT && verdict.found >= 0)
		return fail_interpreter(plan, &verdict, failure);
	snprintf(text, sizeof(text), "%s", spawn_stage_text(stage));
	if (stage == SPAWN_RLIMIT && verdict.limit >= 0) {
		int resource = plan->limits[verdict.limit].resource;

		for (size_t i = 0; i < rlimit_count; i++)
			if (rlimit_names[i].resource == resource)
				snprintf(text, sizeof(text), "setrlimit(%s)",
					 rlimit_names[i].macro);
	}
	if ((stage == SPAWN_GROUPS || stage == SPAWN_GID || stage == SPAWN_UID) &&
	    verdict.num == EPERM && geteuid() != 0)
		err_set(&err, EPERM, text, "the agent runs as uid %u and cannot become uid %u",
			geteuid(), plan->user.uid);
	else if (stage == SPAWN_EXEC)
		err_set(&err, verdict.num, text, "%s", "");
	else if (stage == SPAWN_CHDIR)
		err_set(&err, verdict.num, text, "chdir %s", plan->cwd);
	else
		err_set(&err, verdict.num, text, "%s", text);
	return spawn_fail(failure, stage, plan->cmd, &err);
}
