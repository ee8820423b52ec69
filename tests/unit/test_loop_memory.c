/* The event loop where the kernel has no memory for a watch: none is lost, and none spins. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "unit_loop.h"

/* WRAP: epoll_ctl epoll_wait */
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout);
int __real_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout);

static int refusals, refused; /* so many more are refused; so many were */
static int waits;

int __wrap_epoll_wait(int epoll_fd, struct epoll_event *events, int max, int timeout)
{
	waits++;
	return __real_epoll_wait(epoll_fd, events, max, timeout);
}

int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
	if (op == EPOLL_CTL_ADD && refusals) {
		refusals--;
		refused++;
		errno = ENOMEM;
		return -1;
	}
	return __real_epoll_ctl(epoll_fd, op, fd, event);
}

static int fds[2];

static int set_up(void **state)
{
	refusals = refused = waits = 0;
	return unit_set_up(state) || pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0;
}

static int tear_down(void **state)
{
	close(fds[0]);
	close(fds[1]);
	return unit_tear_down(state);
}

static void on_write(struct loop_timer *timer)
{
	(void)timer;
	tell('w');
	assert_int_equal(write(fds[1], "x", 1), 1);
}

static void source_that_cannot_be_watched_is_looked_at(void **state)
{
	struct loop_timer later = {.on_due = on_write};
	struct thing in = thing('i', fds[0]);

	(void)state;
	in.fires = 1;
	refusals = 1000000;
	loop_want(&loop, &in.source, LOOP_IN);
	loop_arm(&loop, &later, 100);
	run();
	assert_string_equal(story, "wi");
	assert_int_equal(in.ready, LOOP_IN);
	/* A look now and then, and not without end. */
	assert_in_range(refused, 2, 50);
	loop_remove(&loop, &in.source);
}

static void source_is_watched_as_soon_as_there_is_room(void **state)
{
	struct loop_timer later = {.on_due = on_write};
	struct thing in = thing('i', fds[0]);

	(void)state;
	in.fires = 1;
	refusals = 2;
	loop_want(&loop, &in.source, LOOP_IN);
	loop_arm(&loop, &later, 200);
	run();
	assert_string_equal(story, "wi");
	assert_int_equal(in.source.how, LOOP_WATCHED);
	assert_null(loop.aside);
	loop_remove(&loop, &in.source);
}

static void what_is_wanted_may_change_meanwhile(void **state)
{
	struct loop_timer later = {.on_due = on_write};
	struct thing in = thing('i', fds[0]), out = thing('o', fds[1]);

	(void)state;
	refusals = 1000000;
	in.fires = out.fires = 1;
	loop_want(&loop, &in.source, LOOP_IN);
	loop_want(&loop, &in.source, 0);
	assert_null(loop.aside);
	loop_want(&loop, &out.source, LOOP_OUT);
	run();
	assert_string_equal(story, "o");
	loop_want(&loop, &out.source, LOOP_IN);
	loop_want(&loop, &in.source, LOOP_HUP);
	loop_want(&loop, &in.source, LOOP_HUP | LOOP_IN);
	loop_arm(&loop, &later, 0);
	run();
	assert_string_equal(story, "owi");
	loop_remove(&loop, &in.source);
	loop_remove(&loop, &out.source);
	assert_null(loop.aside);
}

static struct thing *neighbour;

static void on_first(struct loop_source *source, uint32_t ready)
{
	(void)source;
	(void)ready;
	tell('f');
	loop_want(&loop, &neighbour->source, 0);
	loop_stop(&loop);
}

/* Or it would be watched for nothing at all, and its hang-up reported for ever. */
static void what_a_neighbour_makes_unwanted_is_not_watched(void **state)
{
	struct loop_timer end = {.on_due = on_write};
	struct thing first = thing('f', fds[1]), last = thing('l', fds[0]), in = thing('i', fds[0]);
	int hung_up[2];

	(void)state;
	assert_int_equal(pipe2(hung_up, O_CLOEXEC | O_NONBLOCK), 0);
	close(hung_up[1]);
	last.source.fd = hung_up[0];
	first.source.on_ready = on_first;
	neighbour = &last;
	/* Both are looked at, the one that came last first; then there is room again. */
	refusals = 3;
	loop_want(&loop, &last.source, LOOP_IN);
	loop_want(&loop, &first.source, LOOP_OUT);
	run();
	assert_string_equal(story, "f");
	loop_remove(&loop, &first.source);
	in.fires = 1;
	loop_want(&loop, &in.source, LOOP_IN);
	loop_arm(&loop, &end, 200);
	waits = 0;
	run();
	assert_string_equal(story, "fwi");
	assert_in_range(waits, 1, 4);
	/* And it may be wanted again. */
	loop_remove(&loop, &in.source);
	last.fires = 1;
	loop_want(&loop, &last.source, LOOP_IN);
	assert_int_equal(last.source.how, LOOP_WATCHED);
	run();
	assert_string_equal(story, "fwil");
	loop_remove(&loop, &last.source);
	close(hung_up[0]);
}

/* A regular file that is wanted no more, as while a pipe behind it is full. */
static void what_is_not_wanted_wakes_nobody(void **state)
{
	struct loop_timer later = {.on_due = on_write};
	FILE *file = tmpfile();
	struct thing in = thing('i', fds[0]), regular = thing('r', fileno(file));

	(void)state;
	in.fires = 1;
	regular.fires = 1;
	loop_want(&loop, &regular.source, LOOP_IN);
	run();
	loop_want(&loop, &regular.source, 0);
	loop_want(&loop, &in.source, LOOP_IN);
	loop_arm(&loop, &later, 300);
	waits = 0;
	run();
	assert_string_equal(story, "rwi");
	assert_in_range(waits, 1, 4);
	loop_remove(&loop, &in.source);
	loop_remove(&loop, &regular.source);
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest loop_memory_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(source_that_cannot_be_watched_is_looked_at),
		TEST(source_is_watched_as_soon_as_there_is_room),
		TEST(what_is_wanted_may_change_meanwhile),
		TEST(what_is_not_wanted_wakes_nobody),
		TEST(what_a_neighbour_makes_unwanted_is_not_watched),
	};

	return cmocka_run_group_tests(loop_memory_tests, NULL, NULL);
}
