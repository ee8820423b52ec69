/* Where the result goes: a file has all of it or is as it was, whatever goes wrong, and nothing else is left. */
#include "cli/report/result.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

/* WRAP: poll */
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);

static bool is_late; /* the time is over */

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return __real_poll(fds, count, is_late ? 0 : timeout);
}

#define LINE "{\"type\":\"exited\"}\n"

static char folder[PATH_MAX];
static int out_of_tests, err_of_tests;

static int begin(void **state)
{
	const char *top = getenv("TMPDIR");

	(void)state;
	snprintf(folder, sizeof(folder), "%s/result.XXXXXX", top ? top : "/tmp");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(chdir(folder), 0);
	umask(022);
	return 0;
}

static size_t entries(void)
{
	DIR *dir = opendir(".");
	size_t count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count - 2;
}

static int end(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	(void)state;
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    unlink(entry->d_name) < 0)
			rmdir(entry->d_name);
	closedir(dir);
	assert_int_equal(chdir("/"), 0);
	return rmdir(folder);
}

static void put(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static void holds(const char *path, const char *want)
{
	char text[512] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(read(fd, text, sizeof(text) - 1), strlen(want));
	assert_string_equal(text, want);
	close(fd);
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_mode;
}

static void write_to(const char *where)
{
	struct result result;
	struct err err;

	assert_int_equal(result_open(&result, where, &err), 0);
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), 0);
	assert_int_equal(result.fd, -1);
	result_close(&result);
}

static void cannot_open(const char *where, int num, const char *words)
{
	struct result result;
	struct err err;
	char text[1024];
	int r = result_open(&result, where, &err);

	assert_int_equal(r, num);
	assert_non_null(strstr(err_sentence(&err, text, sizeof(text)), words));
	assert_non_null(strstr(text, "--result: "));
	assert_int_equal(result.fd, -1);
	result_close(&result);
}

/* What is open is what was open before. */
static int lowest_free(void)
{
	int fd = dup(0);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void file_is_there_when_it_is_whole(void **state)
{
	int free_before = lowest_free();
	struct result result;
	struct err err;

	(void)state;
	assert_int_equal(result_open(&result, "r", &err), 0);
	assert_int_equal(access("r", F_OK), -1);
	assert_int_equal(fcntl(result.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), 0);
	result_close(&result);
	holds("r", LINE);
	assert_int_equal(mode_of("r"), S_IFREG | 0644);
	assert_int_equal(entries(), 1);
	assert_int_equal(lowest_free(), free_before);
}

static void file_that_is_there_stays_until_then(void **state)
{
	struct result result;
	struct err err;

	(void)state;
	put("r", "old");
	assert_int_equal(chmod("r", 0640), 0);
	assert_int_equal(result_open(&result, "./r", &err), 0);
	holds("r", "old");
	result_close(&result);
	holds("r", "old");
	assert_int_equal(entries(), 1);
	write_to("r");
	holds("r", LINE);
	assert_int_equal(mode_of("r"), S_IFREG | 0640);
	assert_int_equal(entries(), 1);
}

static void umask_counts(void **state)
{
	(void)state;
	umask(077);
	write_to("r");
	assert_int_equal(mode_of("r"), S_IFREG | 0600);
}

static void name_may_be_as_long_as_a_name_may_be(void **state)
{
	char name[NAME_MAX + 1];

	(void)state;
	memset(name, 'n', NAME_MAX);
	name[NAME_MAX] = '\0';
	write_to(name);
	holds(name, LINE);
	assert_int_equal(entries(), 1);
}

static void nothing_is_written_without_one(void **state)
{
	struct result result = RESULT_NONE;
	struct err err;

	(void)state;
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), 0);
	result_close(&result);
	assert_int_equal(entries(), 0);
}

static void place_that_cannot_be_written_is_known_at_once(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	cannot_open("none/r", -ENOENT, "none/r: No such file");
	cannot_open("d", -EISDIR, "cannot write d: Is a directory");
	cannot_open("none/", -EISDIR, "none/: Is a directory");
	cannot_open("", -ENOENT, "No such file");
	put("f", "old");
	cannot_open("f/r", -ENOTDIR, "Not a directory");
	cannot_open("/proc/none", -ENOENT, "/proc/none");
	assert_int_equal(entries(), 2);
}

/* In a child, so that we stay who we are. */
static void as_nobody(void (*what)(void))
{
	int status;
	pid_t pid;

	if (geteuid() != 0) {
		what();
		return;
	}
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgid(65534) < 0 || setuid(65534) < 0)
			_exit(9);
		what();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void try_denied(void)
{
	cannot_open("d/r", -EACCES, "Permission denied");
	cannot_open("kept", -EACCES, "Permission denied");
}

static void what_we_may_not_write_is_known_at_once(void **state)
{
	(void)state;
	assert_int_equal(chmod(".", 0777), 0);
	assert_int_equal(mkdir("d", 0555), 0);
	put("kept", "old");
	assert_int_equal(chmod("kept", 0444), 0);
	as_nobody(try_denied);
	holds("kept", "old");
	assert_int_equal(entries(), 2);
}

static void try_sticky(void)
{
	cannot_open("other", -EPERM, "not permitted");
}

static void file_of_another_in_a_sticky_folder_is_known_at_once(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip();
	put("other", "old");
	assert_int_equal(chmod("other", 0666), 0);
	assert_int_equal(chmod(".", 01777), 0);
	as_nobody(try_sticky);
	holds("other", "old");
	assert_int_equal(entries(), 1);
}

static void file_keeps_its_owner(void **state)
{
	struct stat st;

	(void)state;
	if (geteuid() != 0)
		skip();
	put("r", "old");
	assert_int_equal(chown("r", 1234, 5678), 0);
	write_to("r");
	assert_int_equal(stat("r", &st), 0);
	assert_int_equal(st.st_uid, 1234);
	assert_int_equal(st.st_gid, 5678);
}

static void link_stays_and_what_it_names_is_written(void **state)
{
	char path[PATH_MAX];

	(void)state;
	assert_int_equal(mkdir("d", 0755), 0);
	put("d/r", "old");
	assert_int_equal(symlink("d/r", "one"), 0);
	assert_int_equal(symlink("one", "two"), 0);
	write_to("two");
	holds("d/r", LINE);
	assert_true(S_ISLNK(mode_of("two")) && S_ISLNK(mode_of("one")) && S_ISREG(mode_of("d/r")));
	/* One that leads to nothing: that is made. */
	assert_int_equal(unlink("d/r"), 0);
	write_to("two");
	holds("d/r", LINE);
	assert_true(S_ISLNK(mode_of("one")));
	assert_int_equal(unlink("d/r"), 0);
	snprintf(path, sizeof(path), "%.4000s/d/r", folder);
	assert_int_equal(symlink(path, "whole"), 0);
	write_to("whole");
	holds("d/r", LINE);
	assert_int_equal(unlink("d/r"), 0);
	assert_int_equal(symlink("round", "round"), 0);
	cannot_open("round", -ELOOP, "symbolic links");
	assert_int_equal(entries(), 5);
}

static void full_disk_leaves_what_was(void **state)
{
	struct rlimit before, little;
	struct result result;
	struct err err;
	char text[1024];
	int r;

	(void)state;
	put("r", "old");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	little = (struct rlimit){4, before.rlim_max};
	assert_int_equal(result_open(&result, "r", &err), 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
	r = result_write(&result, LINE, strlen(LINE), &err);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_DFL);
	assert_int_equal(r, -EFBIG);
	assert_string_equal(err_sentence(&err, text, sizeof(text)),
			    "--result: cannot write r: File too large");
	result_close(&result);
	holds("r", "old");
	assert_int_equal(entries(), 1);
}

static void device_that_is_full_says_so(void **state)
{
	struct result result;
	struct err err;

	(void)state;
	assert_int_equal(result_open(&result, "/dev/full", &err), 0);
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), -ENOSPC);
	assert_true(S_ISCHR(mode_of("/dev/full")));
}

static void what_cannot_be_replaced_any_more_says_so(void **state)
{
	struct result result;
	struct err err;

	(void)state;
	assert_int_equal(result_open(&result, "r", &err), 0);
	assert_int_equal(mkdir("r", 0755), 0);
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), -EISDIR);
	result_close(&result);
	assert_int_equal(entries(), 1);
}

static void device_is_written_as_it_is(void **state)
{
	(void)state;
	assert_int_equal(symlink("/dev/null", "null"), 0);
	write_to("/dev/null");
	write_to("null");
	assert_true(S_ISCHR(mode_of("/dev/null")));
	assert_int_equal(entries(), 1);
}

static void fifo_needs_a_reader(void **state)
{
	char text[64] = "";
	int fd;

	(void)state;
	assert_int_equal(mkfifo("fifo", 0666), 0);
	cannot_open("fifo", -ENXIO, "nobody reads this FIFO");
	fd = open("fifo", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	assert_true(fd >= 0);
	write_to("fifo");
	assert_int_equal(read(fd, text, sizeof(text) - 1), strlen(LINE));
	assert_string_equal(text, LINE);
	close(fd);
	assert_true(S_ISFIFO(mode_of("fifo")));
	assert_int_equal(entries(), 1);
}

static void descriptor_gets_it_and_is_for_no_child(void **state)
{
	char where[32], text[64] = "";
	struct result result;
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(where, sizeof(where), "fd:%d", fds[1]);
	assert_int_equal(result_open(&result, where, &err), 0);
	assert_int_equal(fcntl(fds[1], F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(result.fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), 0);
	assert_int_equal(read(fds[0], text, sizeof(text) - 1), strlen(LINE));
	assert_string_equal(text, LINE);
	snprintf(where, sizeof(where), "/dev/fd/%d", fds[1]);
	write_to(where);
	assert_int_equal(read(fds[0], text, sizeof(text) - 1), strlen(LINE));
	/* One that is for reading, and one without a reader. */
	snprintf(where, sizeof(where), "fd:%d", fds[0]);
	cannot_open(where, -EINVAL, "is not open for writing");
	close(fds[0]);
	snprintf(where, sizeof(where), "fd:%d", fds[1]);
	assert_int_equal(result_open(&result, where, &err), 0);
	assert_int_equal(result_write(&result, LINE, strlen(LINE), &err), -EPIPE);
	close(fds[1]);
}

static void what_is_no_descriptor_is_refused(void **state)
{
	static const char *const wrong[] = {"fd:",   "fd:x",	       "fd:-1", "fd: 1",
					    "fd:1x", "fd:99999999999", "fd:+1", "/dev/fd/x"};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(wrong); i++)
		cannot_open(wrong[i], -EINVAL, "is not the number of a descriptor");
	cannot_open("fd:987", -EINVAL,
		    "fd:987 is not open for writing; a shell opens it with 987>FILE");
}

/* Ours becomes that file for as long. */
static void instead_of(int fd, const char *path)
{
	int to = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

	assert_true(to >= 0);
	fflush(NULL);
	out_of_tests = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	err_of_tests = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	assert_int_equal(dup2(to, fd), fd);
	close(to);
}

static void give_back(void)
{
	dup2(out_of_tests, STDOUT_FILENO);
	dup2(err_of_tests, STDERR_FILENO);
	close(out_of_tests);
	close(err_of_tests);
}

static void try_outputs(const char *const *wheres, int fd)
{
	struct result results[4];
	struct err err;
	int r = 0;

	put("log", "before\n");
	instead_of(fd, "log");
	for (int i = 0; i < 4; i++) {
		r |= result_open(&results[i], wheres[i], &err);
		r |= result_write(&results[i], LINE, strlen(LINE), &err);
	}
	r |= write(fd, "after\n", 6) != 6;
	r |= fcntl(fd, F_GETFD) != 0;
	give_back();
	assert_int_equal(r, 0);
	holds("log", "before\n" LINE LINE LINE LINE "after\n");
	assert_int_equal(entries(), 2);
}

static void our_own_output_is_not_replaced(void **state)
{
	static const char *const out[] = {"fd:1", "/dev/stdout", "log", "link"};
	static const char *const err[] = {"fd:2", "/dev/stderr", "log", "link"};

	(void)state;
	assert_int_equal(symlink("log", "link"), 0);
	try_outputs(out, STDOUT_FILENO);
	try_outputs(err, STDERR_FILENO);
}

/* A pipe that is full until somebody reads: all of a long line arrives, whether writing blocks or not. */
static void slow_reader_gets_all_of_a_long_line(void **state)
{
	size_t len = 300000, got = 0;
	char *line = malloc(len), where[32], text[4096];
	struct result result;
	struct err err;
	int fds[2], status;
	ssize_t n;
	pid_t pid;

	(void)state;
	assert_non_null(line);
	memset(line, 'x', len);
	for (int flags = 0; flags <= O_NONBLOCK; flags += O_NONBLOCK) {
		assert_int_equal(pipe(fds), 0);
		assert_int_equal(fcntl(fds[1], F_SETFL, flags), 0);
		fflush(NULL);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			close(fds[0]);
			snprintf(where, sizeof(where), "fd:%d", fds[1]);
			_exit(result_open(&result, where, &err) < 0 ||
			      result_write(&result, line, len, &err) < 0);
		}
		close(fds[1]);
		for (got = 0; (n = read(fds[0], text, sizeof(text))) > 0; got += (size_t)n)
			;
		assert_int_equal(got, len);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		close(fds[0]);
	}
	free(line);
}

/* A blocking pipe, which would have us for as long as nobody reads. */
static void reader_that_does_not_read_is_not_waited_for_for_ever(void **state)
{
	static char line[300000];
	struct result result;
	char where[32];
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(where, sizeof(where), "fd:%d", fds[1]);
	assert_int_equal(result_open(&result, where, &err), 0);
	is_late = true;
	assert_int_equal(result_write(&result, line, sizeof(line), &err), -ETIMEDOUT);
	is_late = false;
	close(fds[0]);
	close(fds[1]);
}

/* As Ctrl-C does, of whoever watches signals, which are blocked then. */
static void signal_ends_the_wait(void **state)
{
	static char line[300000];
	struct timespec none = {0};
	struct result result;
	sigset_t set, before;
	char where[32];
	struct err err;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	snprintf(where, sizeof(where), "fd:%d", fds[1]);
	assert_int_equal(result_open(&result, where, &err), 0);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, &before);
	raise(SIGTERM);
	assert_int_equal(result_write(&result, line, sizeof(line), &err), -EINTR);
	assert_int_equal(sigtimedwait(&set, NULL, &none), SIGTERM);
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(file_is_there_when_it_is_whole, begin, end),
		cmocka_unit_test_setup_teardown(file_that_is_there_stays_until_then, begin, end),
		cmocka_unit_test_setup_teardown(umask_counts, begin, end),
		cmocka_unit_test_setup_teardown(name_may_be_as_long_as_a_name_may_be, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_written_without_one, begin, end),
		cmocka_unit_test_setup_teardown(place_that_cannot_be_written_is_known_at_once,
						begin, end),
		cmocka_unit_test_setup_teardown(what_we_may_not_write_is_known_at_once, begin, end),
		cmocka_unit_test_setup_teardown(file_of_another_in_a_sticky_folder_is_known_at_once,
						begin, end),
		cmocka_unit_test_setup_teardown(file_keeps_its_owner, begin, end),
		cmocka_unit_test_setup_teardown(link_stays_and_what_it_names_is_written, begin,
						end),
		cmocka_unit_test_setup_teardown(full_disk_leaves_what_was, begin, end),
		cmocka_unit_test_setup_teardown(device_that_is_full_says_so, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_replaced_any_more_says_so, begin,
						end),
		cmocka_unit_test_setup_teardown(device_is_written_as_it_is, begin, end),
		cmocka_unit_test_setup_teardown(fifo_needs_a_reader, begin, end),
		cmocka_unit_test_setup_teardown(descriptor_gets_it_and_is_for_no_child, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_descriptor_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(our_own_output_is_not_replaced, begin, end),
		cmocka_unit_test_setup_teardown(slow_reader_gets_all_of_a_long_line, begin, end),
		cmocka_unit_test_setup_teardown(
			reader_that_does_not_read_is_not_waited_for_for_ever, begin, end),
		cmocka_unit_test_setup_teardown(signal_ends_the_wait, begin, end),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
