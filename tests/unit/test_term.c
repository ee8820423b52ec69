/* The terminal's modes are given back, or it is said that they are not, before a stop and a death too. */
#include "cli/terminal/term.h"

#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "unit.h"

/* WRAP: tcsetattr tcgetattr */
int __wrap_tcsetattr(int fd, int when, const struct termios *modes);
int __real_tcsetattr(int fd, int when, const struct termios *modes);
int __wrap_tcgetattr(int fd, struct termios *modes);
int __real_tcgetattr(int fd, struct termios *modes);

static struct {
	int ours, theirs;
	struct termios before;
	int set_error, set_failures; /* the next so many calls fail so; negative: all */
	int gets_before_failure;     /* of one call; negative: none fails */
	unsigned calls;
} it = {.gets_before_failure = -1};

int __wrap_tcsetattr(int fd, int when, const struct termios *modes)
{
	it.calls++;
	if (!it.set_failures)
		return __real_tcsetattr(fd, when, modes);
	it.set_failures -= it.set_failures > 0;
	errno = it.set_error;
	return -1;
}

int __wrap_tcgetattr(int fd, struct termios *modes)
{
	if (it.gets_before_failure < 0 || it.gets_before_failure-- > 0)
		return __real_tcgetattr(fd, modes);
	errno = EIO;
	return -1;
}

static void fail_to_set(int error, int failures)
{
	it.set_error = error;
	it.set_failures = failures;
}

static struct termios now(void)
{
	struct termios modes;

	assert_int_equal(__real_tcgetattr(it.theirs, &modes), 0);
	return modes;
}

static void assert_as_before(void)
{
	struct termios modes = now();

	assert_int_equal(modes.c_lflag, it.before.c_lflag);
	assert_int_equal(modes.c_iflag, it.before.c_iflag);
	assert_int_equal(modes.c_oflag, it.before.c_oflag);
}

static bool is_cooked(void)
{
	return now().c_lflag & ICANON;
}

static int begin(void **state)
{
	(void)state;
	if (!it.theirs && openpty(&it.ours, &it.theirs, NULL, NULL, NULL) < 0)
		return -1;
	it.before = now();
	it.calls = 0;
	return 0;
}

static int end(void **state)
{
	(void)state;
	it.set_failures = 0;
	it.gets_before_failure = -1;
	term_take_back(false);
	return term_restore() == 0 && is_cooked() ? 0 : -1;
}

static void what_fails_once_is_tried_again_at_the_end(void **state)
{
	(void)state;
	assert_int_equal(term_make_raw(it.theirs), 0);
	assert_true(term_is_raw());
	fail_to_set(EIO, 1);
	term_cook(false);
	assert_true(term_is_raw());
	assert_int_equal(term_restore(), 0);
	assert_false(term_is_raw());
	assert_as_before();
}

static void what_goes_on_failing_is_told(void **state)
{
	static const int errors[] = {EIO, EINVAL, ENOTTY, EBADF};

	(void)state;
	for (size_t i = 0; i < UNIT_COUNT(errors); i++) {
		assert_int_equal(term_make_raw(it.theirs), 0);
		fail_to_set(errors[i], -1);
		term_cook(false);
		assert_int_equal(term_restore(), -errors[i]);
		assert_true(term_is_raw());
		it.set_failures = 0;
		assert_int_equal(term_restore(), 0);
		assert_as_before();
	}
}

static void interruptions_are_tried_again_but_not_for_ever(void **state)
{
	(void)state;
	assert_int_equal(term_make_raw(it.theirs), 0);
	fail_to_set(EINTR, 7);
	assert_int_equal(term_restore(), 0);
	assert_as_before();
	assert_int_equal(term_make_raw(it.theirs), 0);
	fail_to_set(EINTR, -1);
	assert_int_equal(term_restore(), -EINTR);
}

static void modes_that_could_not_be_read_back_are_not_taken_for_those_of_before(void **state)
{
	(void)state;
	it.gets_before_failure = 1; /* the look at what the terminal made of it */
	assert_int_equal(term_make_raw(it.theirs), 0);
	assert_int_equal(it.gets_before_failure, -1);
	term_resume(it.theirs);
	assert_int_equal(term_restore(), 0);
	assert_as_before();
}

static void a_library_that_sets_none_back_is_seen_to(void **state)
{
	struct termios theirs = it.before;

	(void)state;
	theirs.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	/* It does. */
	term_lend(it.theirs);
	__real_tcsetattr(it.theirs, TCSANOW, &theirs);
	__real_tcsetattr(it.theirs, TCSANOW, &it.before);
	term_take_back(true);
	assert_int_equal(it.calls, 0);
	/* It does not; nor can we, at once. */
	term_lend(it.theirs);
	__real_tcsetattr(it.theirs, TCSANOW, &theirs);
	fail_to_set(EIO, 2);
	term_take_back(false);
	assert_int_equal(term_restore(), -EIO);
	assert_false(is_cooked());
	assert_int_equal(term_restore(), 0);
	assert_as_before();
	/* What we make raw then has the modes of before the library. */
	term_lend(it.theirs);
	__real_tcsetattr(it.theirs, TCSANOW, &theirs);
	fail_to_set(EIO, 1);
	term_take_back(false);
	assert_int_equal(term_make_raw(it.theirs), 0);
	assert_int_equal(term_restore(), 0);
	assert_as_before();
}

/* In a child of its own group, whose stderr it reads; how it stopped or ended is in *ret_status. */
static void let(void (*act)(void), char *said, size_t size, int *ret_status)
{
	int err[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		setpgid(0, 0);
		dup2(err[1], STDERR_FILENO);
		act();
		_exit(0);
	}
	assert_true(pid > 0);
	close(err[1]);
	assert_int_equal(waitpid(pid, ret_status, WUNTRACED), pid);
	if (WIFSTOPPED(*ret_status)) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	n = read(err[0], said, size - 1);
	assert_true(n >= 0);
	said[n] = '\0';
	close(err[0]);
}

static void stop_without_luck(void)
{
	term_make_raw(it.theirs);
	fail_to_set(EIO, -1);
	term_suspend(false);
}

static void die_without_luck(void)
{
	term_make_raw(it.theirs);
	fail_to_set(EIO, -1);
	raise(SIGALRM);
}

static void die_at_a_prompt(void)
{
	struct termios modes = it.before;

	term_lend(it.theirs);
	modes.c_lflag &= ~(tcflag_t)ICANON;
	__real_tcsetattr(it.theirs, TCSANOW, &modes);
	raise(SIGALRM);
}

static const char *const line = ": cannot restore the terminal's modes: EIO; type stty sane";

/* Under valgrind no signal stops anybody. */
static bool is_under_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "valgrind");
}

static void it_is_told_before_a_stop(void **state)
{
	char said[512];
	int status;

	(void)state;
	if (is_under_valgrind())
		skip();
	let(stop_without_luck, said, sizeof(said), &status);
	assert_true(WIFSTOPPED(status));
	assert_non_null(strstr(said, line));
	__real_tcsetattr(it.theirs, TCSANOW, &it.before);
}

static void it_is_told_by_who_dies_of_a_signal(void **state)
{
	char said[512];
	int status;

	(void)state;
	let(die_without_luck, said, sizeof(said), &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	assert_non_null(strstr(said, line));
	__real_tcsetattr(it.theirs, TCSANOW, &it.before);
}

static void who_dies_while_a_library_has_it_gives_them_back(void **state)
{
	char said[512];
	int status;

	(void)state;
	let(die_at_a_prompt, said, sizeof(said), &status);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
	assert_string_equal(said, "");
	assert_as_before();
}

/* The last: the terminal is no more. */
static void a_terminal_that_hung_up_has_none(void **state)
{
	(void)state;
	assert_int_equal(term_make_raw(it.theirs), 0);
	close(it.ours);
	assert_int_equal(term_restore(), 0);
	assert_false(term_is_raw());
}

/* What it holds of the terminal it does for as long as there is a program. */
static int close_all(void **state)
{
	(void)state;
	for (int fd = it.theirs; fd < it.theirs + 10; fd++)
		close(fd);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_fails_once_is_tried_again_at_the_end),
		TEST(what_goes_on_failing_is_told),
		TEST(interruptions_are_tried_again_but_not_for_ever),
		TEST(modes_that_could_not_be_read_back_are_not_taken_for_those_of_before),
		TEST(a_library_that_sets_none_back_is_seen_to),
		TEST(it_is_told_before_a_stop),
		TEST(it_is_told_by_who_dies_of_a_signal),
		TEST(who_dies_while_a_library_has_it_gives_them_back),
		cmocka_unit_test(a_terminal_that_hung_up_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, close_all);
}
