/* Control groups of folders and files: which are looked at and when, and who is killed where no file does it. */
/* WRAP: loop_now_ms loop_arm loop_disarm openat write */
#include "daemon/session/cgroup.h"

#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/session/reap.h"
#include "unit.h"

static struct {
	char folder[32];
	struct cgroups cgroups;
	uint64_t now_ms;
	const char *counted; /* the path of a file, and how often it was opened */
	unsigned count;
	unsigned empty; /* watches */
	bool busy;	/* somebody is in our group, until he is moved */
	bool more;	/* and another one comes in his place */
} it;

uint64_t __wrap_loop_now_ms(void);
void __wrap_loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms);
void __wrap_loop_disarm(struct loop *loop, struct loop_timer *timer);
int __wrap_openat(int at, const char *path, int flags, ...);
int __real_openat(int at, const char *path, int flags, ...);
ssize_t __wrap_write(int fd, const void *data, size_t len);
ssize_t __real_write(int fd, const void *data, size_t len);

uint64_t __wrap_loop_now_ms(void)
{
	return it.now_ms;
}

void __wrap_loop_arm(struct loop *loop, struct loop_timer *timer, uint64_t after_ms)
{
	(void)loop;
	timer->armed = true;
	timer->due_us = (it.now_ms + after_ms) * 1000;
}

void __wrap_loop_disarm(struct loop *loop, struct loop_timer *timer)
{
	(void)loop;
	timer->armed = false;
}

int __wrap_openat(int at, const char *path, int flags, ...)
{
	char place[64];

	if (it.counted && strcmp(path, it.counted) == 0)
		it.count++;
	/* What the kernel would say of us. */
	if (strncmp(path, "/proc/self/", 11) == 0) {
		snprintf(place, sizeof(place), "%s/%s", it.folder, path + 11);
		path = place;
	}
	return __real_openat(at, path, flags, 0600);
}

/* Controllers are for groups without processes; 0 is who writes it. */
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
	const char *text = data;

	if (len && text[0] == '+' && it.busy) {
		errno = EBUSY;
		return -1;
	}
	if (len > 1 && text[0] != '0')
		it.busy = it.more;
	return __real_write(fd, data, len);
}

static void run_timer(struct loop_timer *timer)
{
	if (!timer->armed || timer->due_us > it.now_ms * 1000)
		return;
	timer->armed = false;
	timer->on_due(timer);
}

static int set_up(void **state)
{
	static const struct cgroup_limits none;

	(void)state;
	memset(&it, 0, sizeof(it));
	it.now_ms = 5000;
	strcpy(it.folder, "/tmp/msb-cgroup.XXXXXX");
	assert_non_null(mkdtemp(it.folder));
	cgroups_init(&it.cgroups, NULL, &none);
	it.cgroups.path = strdup(it.folder);
	it.cgroups.fd = open(it.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(it.cgroups.fd >= 0);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	cgroups_release(&it.cgroups);
	return nftw(it.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", it.folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

/* A file of the group with that number. */
static void put(unsigned number, const char *name, const char *text)
{
	char path[64];

	snprintf(path, sizeof(path), "msb-%d-%u/%s", (int)getpid(), number, name);
	put_file(path, text);
}

static void make_below(unsigned number, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/msb-%d-%u/%s", it.folder, (int)getpid(), number, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static struct cgroup *make(void)
{
	static const struct cgroup_limits none;
	struct cgroup *cgroup = NULL;
	struct err err;

	assert_int_equal(cgroup_make(&it.cgroups, &none, &cgroup, &err), 0);
	return cgroup;
}

static struct cgroup *make_populated(unsigned number)
{
	struct cgroup *cgroup = make();

	put(number, "cgroup.events", "populated 1\nfrozen 0\n");
	return cgroup;
}

static void one_that_is_left_is_looked_at_ever_more_seldom_whoever_else_leaves(void **state)
{
	char path[64];
	unsigned made = 1;

	(void)state;
	snprintf(path, sizeof(path), "msb-%d-1/cgroup.events", (int)getpid());
	cgroup_leave(make_populated(made));
	it.counted = path;
	for (int i = 0; i < 10000; i++, it.now_ms++) {
		run_timer(&it.cgroups.sweep);
		if (i % 100 == 50)
			cgroup_leave(make_populated(++made));
	}
	assert_in_range(it.count, 8, 12);
}

static void one_that_is_left_goes_once_nobody_is_in_it(void **state)
{
	char path[128];

	(void)state;
	cgroup_leave(make_populated(1));
	cgroup_leave(make_populated(2));
	snprintf(path, sizeof(path), "%s/msb-%d-1/cgroup.events", it.folder, (int)getpid());
	assert_int_equal(unlink(path), 0);
	*strrchr(path, '/') = '\0';
	it.now_ms += 20;
	run_timer(&it.cgroups.sweep);
	assert_int_equal(access(path, F_OK), -1);
	assert_true(it.cgroups.sweep.armed);
}

/* ---- controllers ---- */

/* As in a container, into which others come all the time. */
static void who_has_all_there_is_may_move_others_when_it_has_moved_itself(void **state)
{
	static const struct cgroup_limits none, pids = {.pids = 10};
	char words[128];
	struct err err;

	(void)state;
	cgroups_release(&it.cgroups);
	cgroups_init(&it.cgroups, NULL, &none);
	/* The first one is of a group that ours is not in. */
	snprintf(words, sizeof(words),
		 "1 1 0:1 /other /nowhere rw - cgroup2 none rw\n"
		 "1 1 0:1 / %s rw - cgroup2 none rw\n",
		 it.folder);
	put_file("mountinfo", words);
	put_file("cgroup", "0::/\n");
	put_file("cgroup.controllers", "cpu memory pids\n");
	put_file("cgroup.subtree_control", "");
	put_file("cgroup.procs", "77\n");
	snprintf(words, sizeof(words), "%s/msb-execd", it.folder);
	assert_int_equal(mkdir(words, 0700), 0);
	put_file("msb-execd/cgroup.procs", "");

	it.busy = it.more = true;
	assert_true(cgroups_prepare(&it.cgroups, &pids, &err) < 0);
	/* It has moved itself by then. */
	put_file("cgroup", "0::/msb-execd\n");
	it.more = false;
	assert_int_equal(cgroups_prepare(&it.cgroups, &pids, &err), 0);
	assert_false(it.busy);
}

/* ---- forced ends ---- */

static void on_empty(struct reap_watch *watch)
{
	(void)watch;
	it.empty++;
}

/* No process has such a session. */
static void one_that_cannot_be_looked_at_holds_up_no_other_session(void **state)
{
	struct reap_watch blind = {.session = INT_MAX, .on_empty = on_empty};
	struct reap_watch other = {.session = INT_MAX - 1, .on_empty = on_empty};
	struct cgroup *cgroup = make();
	struct reaper reaper;
	char path[128];

	(void)state;
	make_below(1, "cgroup.events");
	blind.cgroup = cgroup;
	reaper_init(&reaper, NULL);
	reaper_watch(&reaper, &blind);
	reaper_watch(&reaper, &other);
	run_timer(&reaper.timer);
	assert_int_equal(it.empty, 1);
	assert_true(blind.watched);
	assert_false(other.watched);

	snprintf(path, sizeof(path), "%s/msb-%d-1/cgroup.events", it.folder, (int)getpid());
	assert_int_equal(rmdir(path), 0);
	it.now_ms += 1000;
	run_timer(&reaper.timer);
	assert_int_equal(it.empty, 2);
	reaper_release(&reaper);
	cgroup_leave(cgroup);
}

static void without_a_file_for_it_those_below_are_killed_too(void **state)
{
	struct cgroup *cgroup = make();
	char number[16];
	pid_t child = fork();
	int status;

	(void)state;
	if (child == 0) {
		pause();
		_exit(1);
	}
	snprintf(number, sizeof(number), "%d\n", (int)child);
	put(1, "cgroup.procs", "0\n");
	make_below(1, "a");
	put(1, "a/cgroup.procs", "");
	make_below(1, "a/b");
	put(1, "a/b/cgroup.procs", number);
	assert_int_equal(cgroup_kill(cgroup), 0);
	kill(child, SIGTERM);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
	cgroup_leave(cgroup);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			one_that_is_left_is_looked_at_ever_more_seldom_whoever_else_leaves, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(one_that_is_left_goes_once_nobody_is_in_it, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			who_has_all_there_is_may_move_others_when_it_has_moved_itself, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(
			one_that_cannot_be_looked_at_holds_up_no_other_session, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_a_file_for_it_those_below_are_killed_too,
						set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
