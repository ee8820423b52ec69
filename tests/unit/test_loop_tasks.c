/* The event loop: tasks at the end of a batch, and graves after them. */
#include <fcntl.h>
#include <unistd.h>

#include "unit_loop.h"

static void on_free(struct loop_grave *grave)
{
	tell(THING_OF(grave, grave)->letter);
}

static void tasks_run_once_each_in_the_order_of_their_marks(void **state)
{
	struct thing a = thing('a', -1), b = thing('b', -1), c = thing('c', -1);

	(void)state;
	loop_mark(&loop, &b.task);
	loop_mark(&loop, &a.task);
	loop_mark(&loop, &c.task);
	loop_mark(&loop, &b.task);
	c.fires = 1;
	run();
	assert_string_equal(story, "bac");
	assert_false(a.task.marked || b.task.marked || c.task.marked);
}

static void unmarked_task_does_not_run(void **state)
{
	(void)state;
	for (int which = 0; which < 4; which++) {
		struct thing things[4] = {thing('a', -1), thing('b', -1), thing('c', -1),
					  thing('d', -1)};
		char want[] = "abcde";

		story[0] = '\0';
		for (int i = 0; i < 3; i++)
			loop_mark(&loop, &things[i].task);
		if (which < 3)
			loop_unmark(&loop, &things[which].task);
		loop_unmark(&loop, &things[3].task);
		/* The end of the list must still be its end. */
		loop_mark(&loop, &things[3].task);
		things[3].fires = 1;
		run();
		strcpy(want, "abcd");
		if (which < 3)
			memmove(want + which, want + which + 1, 4 - (size_t)which);
		assert_string_equal(story, want);
	}
}

static void task_marked_by_a_task_runs_after_the_next_batch(void **state)
{
	struct thing a = thing('a', -1), b = thing('b', -1), ready_one;
	int pipe_fds[2];

	(void)state;
	assert_int_equal(pipe2(pipe_fds, O_CLOEXEC), 0);
	assert_int_equal(write(pipe_fds[1], "x", 1), 1);
	ready_one = thing('.', pipe_fds[0]);
	loop_want(&loop, &ready_one.source, LOOP_IN);
	a.marks = &b.task;
	b.marks = &a.task;
	b.fires = 2;
	loop_mark(&loop, &a.task);
	run();
	assert_string_equal(story, ".a.b.a.b");
	loop_unmark(&loop, &a.task);
	loop_remove(&loop, &ready_one.source);
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

/* A task that waits for no event: nobody wakes the loop for it. */
static void marked_task_is_not_waited_for(void **state)
{
	struct thing a = thing('a', -1);
	uint64_t begun = loop_now_ms();

	(void)state;
	a.marks = &a.task;
	a.fires = 30;
	loop_mark(&loop, &a.task);
	run();
	assert_true(loop_now_ms() - begun < unit_limit_ms() / 2);
	loop_unmark(&loop, &a.task);
}

static void on_run_and_bury(struct loop_task *task)
{
	on_run(task);
	loop_bury(&loop, &THING_OF(task, task)->grave, on_free);
	tell('-');
}

static void what_was_buried_is_freed_after_the_tasks(void **state)
{
	struct thing a = thing('a', -1), b = thing('b', -1);

	(void)state;
	a.task.on_run = on_run_and_bury;
	b.fires = 1;
	loop_mark(&loop, &a.task);
	loop_mark(&loop, &b.task);
	run();
	assert_string_equal(story, "a-ba");
}

static void what_is_still_buried_is_freed_with_the_loop(void **state)
{
	struct thing a = thing('a', -1), b = thing('b', -1);

	(void)state;
	loop_bury(&loop, &a.grave, on_free);
	loop_bury(&loop, &b.grave, on_free);
	assert_string_equal(story, "");
	loop_release(&loop);
	assert_int_equal(strlen(story), 2);
}

int main(void)
{
	const struct CMUnitTest loop_task_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_set_up, unit_tear_down)
		TEST(tasks_run_once_each_in_the_order_of_their_marks),
		TEST(unmarked_task_does_not_run),
		TEST(task_marked_by_a_task_runs_after_the_next_batch),
		TEST(marked_task_is_not_waited_for),
		TEST(what_was_buried_is_freed_after_the_tasks),
		TEST(what_is_still_buried_is_freed_with_the_loop),
	};

	return cmocka_run_group_tests(loop_task_tests, NULL, NULL);
}
