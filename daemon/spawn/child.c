/*
 * The child's half of a spawn: see child.h. The order of the steps is the point of this file;
 * each says why it stands where it does.
 */
#include "child.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define VERDICT_FD 3
#define CAP_HEADER (&(struct __user_cap_header_struct){.version = _LINUX_CAPABILITY_VERSION_3})

static _Noreturn void send(int fd, const struct child_verdict *verdict)
{
	/* Into an empty pipe, and shorter than PIPE_BUF: this neither blocks nor splits. */
	(void)!write(fd, verdict, sizeof(*verdict));
	_exit(127);
}

static _Noreturn void fail(int fd, enum spawn_stage stage)
{
	send(fd, &(struct child_verdict){(int32_t)stage, errno, -1, -1, 0, {0}});
}

/* Before the verdict pipe moves to VERDICT_FD, failures go to where the plan has it. */
static void set_stdio(const struct child_plan *plan)
{
	/* The parent holds 0 to 2 itself, so none of these three is one of them. */
	if (dup2(plan->in_fd, 0) < 0 || dup2(plan->out_fd, 1) < 0 || dup2(plan->err_fd, 2) < 0)
		fail(plan->verdict_fd, SPAWN_STDIO);
	if (plan->verdict_fd != VERDICT_FD && dup3(plan->verdict_fd, VERDICT_FD, O_CLOEXEC) < 0)
		fail(plan->verdict_fd, SPAWN_STDIO);
	/* Early: a child that hangs in chdir must not hold other sessions' pipes open. */
	if (syscall(SYS_close_range, VERDICT_FD + 1, UINT_MAX, 0) < 0)
		for (int i = VERDICT_FD + 1, max = (int)sysconf(_SC_OPEN_MAX); i < max; i++)
			close(i);
}

static void reset_signals(void)
{
	sigset_t none;

	/* No others does the daemon ignore: see signals.c. What has a handler, the exec resets. */
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		fail(VERDICT_FD, SPAWN_SIGNALS);
}

static void restore_oom_score(const char *text)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC | O_NONBLOCK);

	/* Without /proc the daemon could not have changed its own either. */
	if (fd >= 0 && write(fd, text, strlen(text)) < 0)
		fail(VERDICT_FD, SPAWN_RLIMIT);
	close(fd);
}

static void set_limits(const struct child_plan *plan)
{
	/* First: it opens a file, which a limit may forbid. */
	if (plan->oom_score_adj)
		restore_oom_score(plan->oom_score_adj);
	if (plan->nofile && setrlimit(RLIMIT_NOFILE, plan->nofile) < 0)
		fail(VERDICT_FD, SPAWN_RLIMIT);
	for (size_t i = 0; i < plan->limit_count; i++)
		/* An unsigned number to glibc and an int to musl; so masked it is either without a cast. */
		if (setrlimit(plan->limits[i].resource & 0xff, &plan->limits[i].value) < 0)
			send(VERDICT_FD,
			     &(struct child_verdict){SPAWN_RLIMIT, errno, (int)i, -1, 0, {0}});
	umask(plan->umask);
}

/* Takes CAP_SYS_ADMIN, and with no_new_privs every way to get it back by exec. */
static void set_profile(const struct child_caps *caps)
{
	if (!caps->restricted)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		fail(VERDICT_FD, SPAWN_PROFILE);
	/* EINVAL: a kernel before 4.3, which has no ambient set to clear. */
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0 && errno != EINVAL)
		fail(VERDICT_FD, SPAWN_PROFILE);
	if (caps->had_sys_admin && syscall(SYS_capset, CAP_HEADER, caps->sets) < 0)
		fail(VERDICT_FD, SPAWN_PROFILE);
	/*
	 * EINVAL: a kernel without this capability. EPERM for want of CAP_SETPCAP is harmless only
	 * if we never had the capability: then no_new_privs keeps it out of reach.
	 */
	if (prctl(PR_CAPBSET_DROP, CAP_SYS_ADMIN, 0, 0, 0) < 0 && errno != EINVAL &&
	    !(errno == EPERM && !caps->had_sys_admin))
		fail(VERDICT_FD, SPAWN_PROFILE);
}

/* Raw system calls: the library's wrappers would talk to threads that this copy has not got. */
static void set_user(const struct child_plan *plan)
{
	static const struct __user_cap_data_struct none[2];

	if (!plan->switch_user)
		return;
	if (syscall(SYS_setresgid, plan->gid, plan->gid, plan->gid) < 0)
		fail(VERDICT_FD, SPAWN_GID);
	if (syscall(SYS_setresuid, plan->uid, plan->uid, plan->uid) < 0)
		fail(VERDICT_FD, SPAWN_UID);
	/* Not all go by themselves: those of a daemon that is not root, and what may be inherited. */
	if (plan->drop_caps && syscall(SYS_capset, CAP_HEADER, none) < 0)
		fail(VERDICT_FD, SPAWN_UID);
}

/* A killed daemon leaves no leader behind. */
static void die_with_parent(pid_t parent)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail(VERDICT_FD, SPAWN_PDEATHSIG);
	/* It may have died before we asked. */
	if (getppid() != parent)
		_exit(127);
}

/* Like execvp(3), but with no shell for what cannot be executed. */
static _Noreturn void execute(const struct child_plan *plan)
{
	struct child_verdict verdict = {
		.stage = SPAWN_EXEC, .num = ENOENT, .limit = -1, .found = -1};
	struct stat st;

	for (size_t i = 0; plan->paths[i]; i++) {
		execve(plan->paths[i], plan->argv, plan->envp);
		switch (errno) {
		case EACCES:
			/* A folder that may not be searched, or one of that name, hides nothing. */
			if (!plan->paths[1] ||
			    (stat(plan->paths[i], &st) == 0 && S_ISREG(st.st_mode)))
				verdict.num = EACCES;
			continue;
		case ENOENT:
			continue;
		case ENOTDIR:
		case ENAMETOOLONG:
		case ELOOP:
		case ENODEV:
		case ESTALE:
		case ETIMEDOUT:
			if (verdict.num == ENOENT && !plan->paths[1])
				verdict.num = errno;
			continue;
		default:
			fail(VERDICT_FD, SPAWN_EXEC);
		}
	}
	/* Of a file that is there it is said by what it was to be run. */
	for (size_t i = 0; verdict.num == ENOENT && verdict.found < 0 && plan->paths[i]; i++)
		if (stat(plan->paths[i], &st) == 0 && S_ISREG(st.st_mode))
			verdict.found = (int32_t)i;
	if (verdict.found >= 0)
		verdict.head_len =
			(int32_t)read(open(plan->paths[verdict.found], O_RDONLY | O_NONBLOCK),
				      verdict.head, sizeof(verdict.head));
	send(VERDICT_FD, &verdict);
}

_Noreturn void child_run(const struct child_plan *plan)
{
	if (plan->join_fd && write(plan->join_fd, "0", 1) < 0)
		fail(plan->verdict_fd, SPAWN_CGROUP);
	/* Its own session in both modes: signals reach all of it, and none of the daemon's. */
	if (setsid() < 0)
		fail(plan->verdict_fd, SPAWN_SETSID);
	if (plan->tty && ioctl(plan->in_fd, TIOCSCTTY, 0) < 0)
		fail(plan->verdict_fd, SPAWN_CTTY);
	set_stdio(plan);
	reset_signals();
	if (plan->switch_user && syscall(SYS_setgroups, plan->group_count, plan->groups) < 0)
		fail(VERDICT_FD, SPAWN_GROUPS);
	/* Before the user switch, so that a non-root command can get a raised hard limit. */
	set_limits(plan);
	set_profile(plan->caps);
	set_user(plan);
	/* After the switch, which clears it. */
	die_with_parent(plan->parent);
	/* As the target user: a folder that the user may not enter is not entered. */
	if (plan->cwd && chdir(plan->cwd) < 0) {
		if (!plan->cwd_optional || chdir("/") < 0)
			fail(VERDICT_FD, SPAWN_CHDIR);
		if (plan->pwd)
			memcpy(plan->pwd, "PWD=/", sizeof("PWD=/"));
	}
	execute(plan);
}
