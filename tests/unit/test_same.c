/* Whether two descriptors are one open file, on kernels that say it and on others. */
#include "cli/terminal/same.h"

#include <fcntl.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "unit.h"

/* WRAP: syscall */
long __wrap_syscall(long number, ...);
long __real_syscall(long number, ...);

static int refusal; /* of kcmp(2), with this errno; 0: it is not */

long __wrap_syscall(long number, ...)
{
	unsigned long arg[5];
	va_list ap;

	va_start(ap, number);
	for (int i = 0; i < 5; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	assert_int_equal(number, SYS_kcmp);
	if (refusal) {
		errno = refusal;
		return -1;
	}
	return __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4]);
}

/* A copy of it, which is the same open file. */
static int copy_of(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	assert_true(copy >= 0);
	return copy;
}

static void assert_same(int a, int b)
{
	assert_true(same_open_file(a, b));
	assert_true(same_open_file(b, a));
}

static void assert_differ(int a, int b)
{
	assert_false(same_open_file(a, b));
	assert_false(same_open_file(b, a));
}

static void close_all(const int *fds, size_t count)
{
	for (size_t i = 0; i < count; i++)
		close(fds[i]);
}

/* Of an unnamed file so many descriptors, each opened by itself. */
static void open_file(int flags, int *fds, size_t count)
{
	char path[] = "/tmp/msb-same.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (size_t i = 0; i < count; i++) {
		fds[i] = open(path, O_WRONLY | O_CLOEXEC | flags);
		assert_true(fds[i] >= 0);
	}
	unlink(path);
	close(fd);
}

static bool kernel_says_it(void)
{
	return __real_syscall(SYS_kcmp, getpid(), getpid(), 0, 0ul, 0ul) == 0;
}

static void pipe_is_one_however_it_was_opened(void **state)
{
	int one[2], other[2], more[2];
	char name[64];

	(void)state;
	assert_int_equal(pipe2(one, O_CLOEXEC), 0);
	assert_int_equal(pipe2(other, O_CLOEXEC), 0);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", one[1]);
	more[0] = copy_of(one[1]);
	more[1] = open(name, O_WRONLY | O_CLOEXEC);
	assert_true(more[1] >= 0);
	assert_same(one[1], one[1]);
	assert_same(one[1], more[0]);
	assert_same(one[1], more[1]);
	assert_differ(one[1], other[1]);
	close_all(one, 2);
	close_all(other, 2);
	close_all(more, 2);
}

static void socket_is_one_with_its_copies_alone(void **state)
{
	int ends[2], copy;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	copy = copy_of(ends[0]);
	assert_same(ends[0], copy);
	assert_differ(ends[0], ends[1]);
	close_all(ends, 2);
	close(copy);
}

static void terminal_is_one_however_it_was_opened(void **state)
{
	int slave, again, master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	char name[64];

	(void)state;
	if (master < 0 || unlockpt(master) < 0 || ptsname_r(master, name, sizeof(name)) != 0)
		skip();
	slave = open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	again = open(name, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	assert_true(slave >= 0 && again >= 0);
	assert_same(slave, again);
	assert_differ(slave, master);
	assert_differ(slave, null_fd);
	close_all((int[]){master, slave, again, null_fd}, 4);
}

static void file_has_one_place_for_each_time_it_was_opened(void **state)
{
	int fds[2], copy;

	(void)state;
	open_file(0, fds, 2);
	copy = copy_of(fds[0]);
	if (kernel_says_it())
		assert_same(fds[0], copy);
	assert_differ(fds[0], fds[1]);
	/* One that cannot be compared is not known to be the same. */
	for (size_t i = 0; i < 2; i++) {
		refusal = i ? ENOSYS : EPERM;
		assert_differ(fds[0], copy);
	}
	refusal = 0;
	close_all(fds, 2);
	close(copy);
}

static void file_that_both_append_to_has_one_end(void **state)
{
	int fds[2], other, plain, copy;

	(void)state;
	open_file(O_APPEND, fds, 2);
	open_file(O_APPEND, &other, 1);
	copy = copy_of(fds[0]);
	for (size_t i = 0; i < 3; i++) {
		refusal = i == 2 ? ENOSYS : i == 1 ? EPERM : 0;
		assert_same(fds[0], copy);
		assert_same(fds[0], fds[1]);
		assert_differ(fds[0], other);
	}
	refusal = 0;
	open_file(0, &plain, 1);
	assert_differ(fds[0], plain);
	close_all(fds, 2);
	close_all((int[]){other, plain, copy}, 3);
}

static void device_is_one_with_its_copies(void **state)
{
	int one = open("/dev/null", O_WRONLY | O_CLOEXEC), copy = copy_of(one);
	int zero = open("/dev/zero", O_WRONLY | O_CLOEXEC);

	(void)state;
	if (kernel_says_it())
		assert_same(one, copy);
	assert_differ(one, zero);
	close_all((int[]){one, copy, zero}, 3);
}

static void what_is_not_open_is_nothing(void **state)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC), closed = copy_of(fd);

	(void)state;
	close(closed);
	assert_differ(fd, closed);
	assert_differ(closed, closed);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest same_tests[] = {
		cmocka_unit_test(pipe_is_one_however_it_was_opened),
		cmocka_unit_test(socket_is_one_with_its_copies_alone),
		cmocka_unit_test(terminal_is_one_however_it_was_opened),
		cmocka_unit_test(file_has_one_place_for_each_time_it_was_opened),
		cmocka_unit_test(file_that_both_append_to_has_one_end),
		cmocka_unit_test(device_is_one_with_its_copies),
		cmocka_unit_test(what_is_not_open_is_nothing),
	};

	return cmocka_run_group_tests(same_tests, NULL, NULL);
}
