/*
 * What a command is, and what it can do to others: tests/privileges.bats.
 *
 * probe: all that /proc and the kernel say of itself, as sections "== NAME" and lines.
 * probe reach PID: tries each way into another process, and says with what errno it ended.
 * probe wait: the same as probe, then until its stdin ends.
 * probe gain [PROGRAM]: its capabilities, and whether it can mount; then becomes PROGRAM, which says the same.
 * probe namespace: whether it can make a user namespace, and what it has and can mount there.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

extern char **environ;

/* Whole, and a NUL as a newline. */
static void show_file(const char *path)
{
	char room[65536];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, room, sizeof(room));

	printf("== %s\n", path);
	for (ssize_t i = 0; i < n; i++)
		putchar(room[i] ? room[i] : '\n');
	close(fd);
}

static void show_descriptor(const char *name)
{
	char path[64], target[256] = "";
	int fd = atoi(name);
	struct stat st;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (fstat(fd, &st) < 0 || readlink(path, target, sizeof(target) - 1) < 0)
		return;
	printf("%d %s %o %u %u %d %u\n", fd, target, st.st_mode, st.st_uid, st.st_gid,
	       fcntl(fd, F_GETFL) & (O_ACCMODE | O_NONBLOCK),
	       major(st.st_rdev) << 8 | minor(st.st_rdev));
}

static void show_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;

	printf("== fd\n");
	while (dir && (entry = readdir(dir)))
		if (entry->d_name[0] != '.' && atoi(entry->d_name) != dirfd(dir))
			show_descriptor(entry->d_name);
	if (dir)
		closedir(dir);
}

static void show_rest(void)
{
	int death = 0, tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC), num = errno;

	prctl(PR_GET_PDEATHSIG, &death);
	printf("== rest\npid %d\ngroup %d\nsession %d\nforeground %d\ntty %s\n", getpid(),
	       getpgid(0), getsid(0), tty < 0 ? 0 : tcgetpgrp(tty),
	       tty < 0 ? strerrorname_np(num) : "open");
	printf("death %d\ndumpable %d\nsecurebits %d\nnice %d\nscheduler %d\n", death,
	       prctl(PR_GET_DUMPABLE), prctl(PR_GET_SECUREBITS), getpriority(PRIO_PROCESS, 0),
	       sched_getscheduler(0));
	printf("cwd %s\n", realpath(".", NULL));
	close(tty);
}

static void show(void)
{
	printf("== env\n");
	for (char **entry = environ; *entry; entry++)
		puts(*entry);
	show_descriptors();
	show_rest();
	show_file("/proc/self/status");
	show_file("/proc/self/stat");
	show_file("/proc/self/limits");
	show_file("/proc/self/oom_score_adj");
	printf("== end\n");
	fflush(stdout);
}

static void told(const char *what, long result)
{
	printf("%s %s\n", what, result < 0 ? strerrorname_np(errno) : "done");
	fflush(stdout);
}

/* Opened and read: some files say so only then. */
static long try_open(const char *pid, const char *name, int flags)
{
	char path[64], byte;
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	if (fd < 0 || flags & O_DIRECTORY)
		return fd;
	return read(fd, &byte, 1) < 0 && (errno == EPERM || errno == EACCES) ? -1 : 0;
}

static void reach(const char *pid)
{
	static const char *const links[] = {"exe", "cwd", "root", "ns/mnt"};
	static const char *const files[] = {"environ", "maps", "auxv", "io",
					    "pagemap", "fd/0", "fd/1", "fd/2"};
	char byte, path[64], target[256];
	struct iovec ours = {&byte, 1}, theirs = {(void *)environ, 1};
	int number = atoi(pid), fd = (int)syscall(SYS_pidfd_open, number, 0);

	told("memory", try_open(pid, "mem", O_RDONLY));
	told("write", try_open(pid, "mem", O_RDWR));
	told("descriptors", try_open(pid, "fd", O_RDONLY | O_DIRECTORY));
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		told(files[i], try_open(pid, files[i], O_RDONLY));
	for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
		snprintf(path, sizeof(path), "/proc/%s/%s", pid, links[i]);
		told(links[i], readlink(path, target, sizeof(target)));
	}
	told("vm_read", process_vm_readv(number, &ours, 1, &theirs, 1, 0));
	told("vm_write", process_vm_writev(number, &ours, 1, &theirs, 1, 0));
	told("getfd", syscall(SYS_pidfd_getfd, fd, 0, 0));
	told("ptrace", ptrace(PTRACE_SEIZE, number, 0, 0));
}

/* In a namespace of its own, if it can have that: nothing is left. */
static void try_mount(void)
{
	told("unshare", unshare(CLONE_NEWNS));
	mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL);
	told("mount", mount("none", "/mnt", "tmpfs", 0, NULL));
	told("bind", mount("/", "/mnt", NULL, MS_BIND, NULL));
}

static void gain(const char *program)
{
	show_file("/proc/self/status");
	printf("== tries\n");
	fflush(stdout);
	try_mount();
	if (program) {
		execl(program, program, "gain", NULL);
		told("exec", -1);
	}
}

int main(int argc, char *argv[])
{
	char byte;

	if (argc == 1) {
		show();
	} else if (strcmp(argv[1], "wait") == 0) {
		show();
		while (read(0, &byte, 1) > 0)
			;
	} else if (strcmp(argv[1], "reach") == 0 && argc == 3) {
		reach(argv[2]);
	} else if (strcmp(argv[1], "gain") == 0) {
		gain(argv[2]);
	} else if (strcmp(argv[1], "namespace") == 0) {
		told("user", unshare(CLONE_NEWUSER));
		gain(NULL);
	} else {
		return 2;
	}
	/* What was tried was tried: no library has anything to say of it. */
	fflush(stdout);
	_exit(0);
}
