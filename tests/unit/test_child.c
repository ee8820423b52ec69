/* The child's half of a spawn on kernels and in containers that do less than this machine. */
#include "daemon/spawn/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/spawn/caps.h"
#include "unit.h"

/* WRAP: prctl */
int __wrap_prctl(int option, ...);
int __real_prctl(int option, ...);

static int refused, refusal; /* this option fails, with this errno */
static int join_fd;	     /* of a control group, or 0 */

int __wrap_prctl(int option, ...)
{
	unsigned long arg[4];
	va_list ap;

	va_start(ap, option);
	for (int i = 0; i < 4; i++)
		arg[i] = va_arg(ap, unsigned long);
	va_end(ap);
	if (option == refused) {
		errno = refusal;
		return -1;
	}
	/* The parent dies with the test, and the bounding set is for those who may change it. */
	if (option == PR_SET_PDEATHSIG || option == PR_CAPBSET_DROP)
		return 0;
	return __real_prctl(option, arg[0], arg[1], arg[2], arg[3]);
}

/* Runs true(1) as a restricted child: its verdict, or a stage of -1 if there was none. */
static struct child_verdict run(int option, int num, bool had_sys_admin)
{
	struct child_verdict verdict = {.stage = -1};
	char *const argv[] = {(char *)"true", NULL}, *const envp[] = {NULL};
	char *const paths[] = {(char *)"/bin/true", (char *)"/usr/bin/true", NULL};
	struct child_caps caps;
	int ends[2], null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), status = 0;
	pid_t pid;

	assert_int_equal(caps_prepare("restricted", &caps), 0);
	caps.had_sys_admin = had_sys_admin;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	refused = option;
	refusal = num;
	pid = fork();
	if (pid == 0) {
		struct child_plan plan = {
			.parent = getppid(),
			.join_fd = join_fd,
			.in_fd = null_fd,
			.out_fd = null_fd,
			.err_fd = null_fd,
			.verdict_fd = ends[1],
			.caps = &caps,
			.paths = paths,
			.argv = argv,
			.envp = envp,
		};

		child_run(&plan);
	}
	refused = 0;
	close(ends[1]);
	if (read(ends[0], &verdict, sizeof(verdict)) == 0)
		verdict.stage = -1;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, verdict.stage < 0 ? 0 : 127 << 8);
	close(ends[0]);
	close(null_fd);
	return verdict;
}

static void assert_runs(int option, int num, bool had_sys_admin)
{
	struct child_verdict verdict = run(option, num, had_sys_admin);

	if (verdict.stage != -1)
		fail_msg("option %d, errno %d: stage %d, %s", option, num, verdict.stage,
			 strerror(verdict.num));
}

static void assert_stops(int option, int num, bool had_sys_admin)
{
	struct child_verdict verdict = run(option, num, had_sys_admin);

	assert_int_equal(verdict.stage, SPAWN_PROFILE);
	assert_int_equal(verdict.num, num);
}

static void kernel_without_what_is_dropped_drops_nothing(void **state)
{
	(void)state;
	assert_runs(0, 0, false);
	assert_runs(PR_CAP_AMBIENT, EINVAL, false);
	assert_runs(PR_CAPBSET_DROP, EINVAL, false);
	assert_runs(PR_CAPBSET_DROP, EINVAL, geteuid() == 0);
}

static void capability_that_we_never_had_need_not_be_dropped(void **state)
{
	(void)state;
	assert_runs(PR_CAPBSET_DROP, EPERM, false);
}

static void anything_else_is_not_run(void **state)
{
	(void)state;
	assert_stops(PR_SET_NO_NEW_PRIVS, EINVAL, false);
	assert_stops(PR_SET_NO_NEW_PRIVS, EPERM, false);
	assert_stops(PR_CAP_AMBIENT, EPERM, false);
	assert_stops(PR_CAPBSET_DROP, EACCES, false);
	/* To leave it would leave it to the command. */
	if (geteuid() == 0)
		assert_stops(PR_CAPBSET_DROP, EPERM, true);
}

/* A kernel before 5.7 cannot clone into a control group. */
static void child_goes_to_its_group_itself_or_is_not_run(void **state)
{
	char path[] = "/tmp/test_child.XXXXXX", text[4] = "";
	int file = mkostemp(path, O_CLOEXEC);
	struct child_verdict verdict;

	(void)state;
	assert_true(file >= 0);
	join_fd = file;
	assert_runs(0, 0, false);
	assert_int_equal(pread(file, text, sizeof(text), 0), 1);
	assert_string_equal(text, "0");
	join_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(join_fd >= 0);
	verdict = run(0, 0, false);
	assert_int_equal(verdict.stage, SPAWN_CGROUP);
	assert_int_equal(verdict.num, EBADF);
	close(join_fd);
	close(file);
	unlink(path);
	join_fd = 0;
}

int main(void)
{
	const struct CMUnitTest child_tests[] = {
		cmocka_unit_test(kernel_without_what_is_dropped_drops_nothing),
		cmocka_unit_test(capability_that_we_never_had_need_not_be_dropped),
		cmocka_unit_test(anything_else_is_not_run),
		cmocka_unit_test(child_goes_to_its_group_itself_or_is_not_run),
	};

	return cmocka_run_group_tests(child_tests, NULL, NULL);
}
