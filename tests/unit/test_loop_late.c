/* The event loop: who moves much comes behind the others. */
#include <fcntl.h>
#include <unistd.h>

#include "unit_loop.h"

#define THINGS 3

static struct thing things[THINGS];
static int ends[THINGS][2];

/* Each has something to be read. */
static int set_up(void **state)
{
	if (unit_set_up(state))
		return 1;
	for (int i = 0; i < THINGS; i++) {
		if (pipe2(ends[i], O_CLOEXEC | O_NONBLOCK) < 0 || write(ends[i][1], "x", 1) != 1)
			return 1;
		things[i] = thing((char)('a' + i), ends[i][0]);
		loop_want(&loop, &things[i].source, LOOP_IN);
	}
	return 0;
}

static int tear_down(void **state)
{
	for (int i = 0; i < THINGS; i++) {
		loop_remove(&loop, &things[i].source);
		close(ends[i][0]);
		close(ends[i][1]);
	}
	return unit_tear_down(state);
}

/* Once, and then it wants nothing more; slow ones take all the time that there is for late ones. */
static void once(struct loop_source *source, uint32_t ready)
{
	on_ready(source, ready);
	loop_want(&loop, source, 0);
}

static void take_all_time(void)
{
	uint64_t begun_us = loop_now_us();

	while (loop_now_us() - begun_us < 1000)
		;
}

static void once_and_slowly(struct loop_source *source, uint32_t ready)
{
	once(source, ready);
	take_all_time();
}

static void make_all_late(void)
{
	for (int i = 0; i < THINGS; i++) {
		things[i].source.late = true;
		things[i].source.on_ready = once_and_slowly;
	}
}

static void late_one_comes_behind_others_and_their_tasks(void **state)
{
	struct thing task = thing('t', -1);

	(void)state;
	things[0].source.late = true;
	for (int i = 0; i < THINGS; i++)
		things[i].source.on_ready = once;
	things[2].marks = &task.task;
	things[0].fires = 1;
	run();
	/* Which of the others was first is the kernel's affair. */
	assert_true(!strcmp(story, "bcta") || !strcmp(story, "cbta"));
}

static void of_many_late_ones_each_has_its_turn_and_others_come_between(void **state)
{
	(void)state;
	make_all_late();
	/* One after the other; a round that is over in between begins with looking for others. */
	run_once();
	assert_int_equal(strlen(story), 1);
	run_once();
	assert_int_equal(strlen(story), 2);
	run_once();
	assert_int_equal(strlen(story), 3);
	assert_true(strchr(story, 'a') && strchr(story, 'b') && strchr(story, 'c'));
}

static void late_one_that_is_taken_out_while_it_waits_is_not_called(void **state)
{
	(void)state;
	make_all_late();
	run_once();
	for (int i = 0; i < THINGS; i++)
		if (things[i].letter != story[0])
			loop_remove(&loop, &things[i].source);
	run_once();
	run_once();
	assert_int_equal(strlen(story), 1);
}

static void late_one_that_wants_nothing_any_more_is_not_called(void **state)
{
	(void)state;
	make_all_late();
	run_once();
	for (int i = 0; i < THINGS; i++)
		loop_want(&loop, &things[i].source, 0);
	run_once();
	run_once();
	assert_int_equal(strlen(story), 1);
}

static void one_that_is_late_no_more_is_called_once(void **state)
{
	(void)state;
	make_all_late();
	run_once();
	for (int i = 0; i < THINGS; i++)
		things[i].source.late = false;
	run_once();
	run_once();
	assert_int_equal(strlen(story), THINGS);
}

static void late_tasks_run_behind_the_others(void **state)
{
	struct thing a = thing('x', -1), b = thing('y', -1), c = thing('z', -1);

	(void)state;
	for (int i = 0; i < THINGS; i++)
		loop_want(&loop, &things[i].source, 0);
	a.task.late = true;
	loop_mark(&loop, &a.task);
	loop_mark(&loop, &b.task);
	loop_mark(&loop, &c.task);
	loop_unmark(&loop, &b.task);
	a.fires = 1;
	run();
	assert_string_equal(story, "zx");
	assert_false(a.task.marked || b.task.marked || c.task.marked);
}

static void take_long(struct loop_task *task)
{
	on_run(task);
	take_all_time();
}

static void of_many_late_tasks_some_run_in_a_turn_and_all_in_the_end(void **state)
{
	struct thing late[] = {thing('x', -1), thing('y', -1), thing('z', -1)};

	(void)state;
	for (int i = 0; i < THINGS; i++) {
		loop_want(&loop, &things[i].source, 0);
		late[i].task.late = true;
		late[i].task.on_run = take_long;
		loop_mark(&loop, &late[i].task);
	}
	run_once();
	assert_string_equal(story, "x");
	run_once();
	run_once();
	assert_string_equal(story, "xyz");
}

int main(void)
{
	const struct CMUnitTest loop_late_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(late_one_comes_behind_others_and_their_tasks),
		TEST(of_many_late_ones_each_has_its_turn_and_others_come_between),
		TEST(late_one_that_is_taken_out_while_it_waits_is_not_called),
		TEST(late_one_that_wants_nothing_any_more_is_not_called),
		TEST(one_that_is_late_no_more_is_called_once),
		TEST(late_tasks_run_behind_the_others),
		TEST(of_many_late_tasks_some_run_in_a_turn_and_all_in_the_end),
	};

	return cmocka_run_group_tests(loop_late_tests, NULL, NULL);
}
