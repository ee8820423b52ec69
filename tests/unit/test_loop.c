/*
 * The event loop: descriptors, signals, tasks at the end of a batch, graves after them. Timers are
 * test_loop_timers.c's.
 */
#include "../../shared/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit.h"

#define LIMIT_MS 10000 /* what hangs is a failure */

static struct loop loop;
static struct loop_timer limit;
static char story[64]; /* what happened, a letter each */

static void tell(char letter)
{
	size_t len = strlen(story);

	assert_true(len + 1 < sizeof(story));
	story[len] = letter;
	story[len + 1] = '\0';
}

static void on_limit(struct loop_timer *timer)
{
	(void)timer;
	fail_msg("still running after %d ms: %s", LIMIT_MS, story);
}

static int set_up(void **state)
{
	(void)state;
	story[0] = '\0';
	limit = (struct loop_timer){.on_due = on_limit};
	return loop_init(&loop) < 0 || loop_arm(&loop, &limit, LIMIT_MS) < 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_release(&loop);
	return loop.epoll_fd != -1 || loop.signal_fd != -1;
}

/* Something that may happen: a source, a task and a grave with a letter. */
struct thing {
	struct loop_source source;
	struct loop_task task, *marks;
	struct loop_grave grave;
	struct thing *removes;
	char letter;
	int fires; /* this often before the loop is stopped; 0: never stops it */
	uint32_t ready;
};

#define THING_OF(member_ptr, member) \
	((struct thing *)((char *)(member_ptr)-offsetof(struct thing, member)))

static void on_ready(struct loop_source *source, uint32_t ready)
{
	struct thing *thing = THING_OF(source, source);

	tell(thing->letter);
	thing->ready |= ready;
	if (thing->removes)
		loop_remove(&loop, &thing->removes->source);
	if (thing->marks)
		loop_mark(&loop, thing->marks);
	if (thing->fires && !--thing->fires)
		loop_stop(&loop);
}

static void on_run(struct loop_task *task)
{
	struct thing *thing = THING_OF(task, task);

	tell(thing->letter);
	if (thing->marks)
		loop_mark(&loop, thing->marks);
	if (thing->fires && !--thing->fires)
		loop_stop(&loop);
}

static void on_free(struct loop_grave *grave)
{
	tell(THING_OF(grave, grave)->letter);
}

static struct thing thing(char letter, int fd)
{
	struct thing t = {.letter = letter, .task = {.on_run = on_run}};

	loop_source_init(&t.source, fd, on_ready);
	return t;
}

static void run(void)
{
	loop.stopped = false;
	assert_int_equal(loop_run(&loop), 0);
}

/* ---- tasks and graves ---- */

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
	assert_int_equal(loop_want(&loop, &ready_one.source, LOOP_IN), 0);
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
	assert_true(loop_now_ms() - begun < LIMIT_MS / 2);
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

static void on_stop(struct loop_timer *timer)
{
	(void)timer;
	tell('!');
	loop_stop(&loop);
}

/* ---- descriptors ---- */

static void source_is_called_for_what_it_wants(void **state)
{
	struct thing in, out;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	in = thing('i', fds[0]);
	out = thing('o', fds[1]);
	out.fires = 2;
	assert_int_equal(loop_want(&loop, &in.source, LOOP_IN), 0);
	assert_int_equal(loop_want(&loop, &out.source, LOOP_OUT), 0);
	run();
	assert_string_equal(story, "oo");
	assert_int_equal(out.ready, LOOP_OUT);
	/* It may be taken back and asked for again. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	assert_int_equal(loop_want(&loop, &out.source, 0), 0);
	in.fires = 1;
	run();
	assert_string_equal(story, "ooi");
	assert_int_equal(in.ready, LOOP_IN);
	assert_int_equal(loop_want(&loop, &in.source, 0), 0);
	assert_int_equal(loop_want(&loop, &out.source, LOOP_OUT), 0);
	out.fires = 1;
	run();
	assert_string_equal(story, "ooio");
	loop_remove(&loop, &in.source);
	loop_remove(&loop, &out.source);
	loop_remove(&loop, &out.source);
	assert_int_equal(out.source.fd, -1);
	close(fds[0]);
	close(fds[1]);
}

static void hang_up_is_read_and_broken_pipe_is_written(void **state)
{
	struct thing in, out;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	close(fds[1]);
	in = thing('i', fds[0]);
	in.fires = 1;
	assert_int_equal(loop_want(&loop, &in.source, LOOP_IN), 0);
	run();
	assert_int_equal(in.ready, LOOP_IN);
	loop_remove(&loop, &in.source);
	close(fds[0]);
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	while (write(fds[1], story, sizeof(story)) > 0)
		;
	close(fds[0]);
	out = thing('o', fds[1]);
	out.fires = 1;
	assert_int_equal(loop_want(&loop, &out.source, LOOP_OUT), 0);
	run();
	assert_int_equal(out.ready, LOOP_OUT);
	loop_remove(&loop, &out.source);
	close(fds[1]);
}

static void only_what_is_ready_is_told(void **state)
{
	struct thing both;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	both = thing('b', fds[0]);
	both.fires = 1;
	assert_int_equal(loop_want(&loop, &both.source, LOOP_IN | LOOP_OUT), 0);
	run();
	assert_int_equal(both.ready, LOOP_OUT);
	while (send(fds[0], story, sizeof(story), MSG_DONTWAIT) > 0)
		;
	assert_int_equal(write(fds[1], "x", 1), 1);
	both.fires = 1;
	both.ready = 0;
	run();
	assert_int_equal(both.ready, LOOP_IN);
	close(fds[1]);
	both.fires = 1;
	run();
	assert_int_equal(both.ready, LOOP_IN | LOOP_OUT);
	loop_remove(&loop, &both.source);
	close(fds[0]);
}

/* For a connection whose input waits: that the client went is heard all the same. */
static void peer_that_went_is_heard_before_what_it_sent_is_read(void **state)
{
	struct loop_timer stop = {.on_due = on_stop};
	struct thing gone;
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	gone = thing('g', fds[0]);
	gone.fires = 1;
	assert_int_equal(loop_want(&loop, &gone.source, LOOP_HUP), 0);
	assert_int_equal(loop_arm(&loop, &stop, 10), 0);
	run();
	assert_string_equal(story, "!");
	close(fds[1]);
	run();
	assert_string_equal(story, "!g");
	assert_int_equal(gone.ready, LOOP_HUP);
	loop_remove(&loop, &gone.source);
	close(fds[0]);
}

/* epoll reports a hang-up to any mask: it would be reported for ever. */
static void source_that_wants_nothing_is_not_called_for_a_hang_up(void **state)
{
	struct loop_timer stop = {.on_due = on_stop};
	struct thing in;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	in = thing('i', fds[0]);
	assert_int_equal(loop_want(&loop, &in.source, LOOP_IN), 0);
	assert_int_equal(loop_want(&loop, &in.source, 0), 0);
	close(fds[1]);
	assert_int_equal(loop_arm(&loop, &stop, 20), 0);
	run();
	assert_string_equal(story, "!");
	loop_remove(&loop, &in.source);
	close(fds[0]);
}

/* Both are ready in one batch: whoever comes first takes the other out. */
static void source_removed_earlier_in_the_batch_is_not_called(void **state)
{
	struct thing a, b;
	int one[2], two[2];

	(void)state;
	assert_int_equal(pipe2(one, O_CLOEXEC), 0);
	assert_int_equal(pipe2(two, O_CLOEXEC), 0);
	assert_int_equal(write(one[1], "x", 1) + write(two[1], "x", 1), 2);
	a = thing('x', one[0]);
	b = thing('x', two[0]);
	a.removes = &b;
	b.removes = &a;
	a.fires = b.fires = 1;
	assert_int_equal(loop_want(&loop, &a.source, LOOP_IN), 0);
	assert_int_equal(loop_want(&loop, &b.source, LOOP_IN), 0);
	run();
	assert_string_equal(story, "x");
	loop_remove(&loop, &a.source);
	loop_remove(&loop, &b.source);
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
}

static void descriptor_that_is_closed_is_an_error(void **state)
{
	struct thing a = thing('a', 9999);

	(void)state;
	assert_int_equal(loop_want(&loop, &a.source, LOOP_IN), -EBADF);
	assert_int_equal(a.source.want, 0);
	a.source.fd = -1;
	assert_int_equal(loop_want(&loop, &a.source, LOOP_IN), 0);
}

/* ---- signals ---- */

static void on_signal(struct loop *of, const struct loop_signal *signal)
{
	assert_ptr_equal(of, &loop);
	tell(signal->number == SIGUSR1 ? 'u' : signal->number == SIGALRM ? 'a' : '?');
	tell(signal->sender_pid == getpid() ? 'p' : signal->sender_pid == 0 ? 'k' : '?');
	loop_stop(of);
}

static void on_interruption(int number)
{
	(void)number;
}

static void interrupted_wait_goes_on(void **state)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 1000}};
	struct sigaction action = {.sa_handler = on_interruption}, old;
	struct loop_timer stop = {.on_due = on_stop};

	(void)state;
	sigaction(SIGALRM, &action, &old);
	setitimer(ITIMER_REAL, &soon, NULL);
	assert_int_equal(loop_arm(&loop, &stop, 30), 0);
	run();
	assert_string_equal(story, "!");
	sigaction(SIGALRM, &old, NULL);
}

static void signals_are_reported_with_who_sent_them(void **state)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 1000}};
	sigset_t set, old;

	(void)state;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_BLOCK, NULL, &old);
	assert_int_equal(loop_signals(&loop, &set, on_signal), 0);
	kill(getpid(), SIGUSR1);
	run();
	assert_string_equal(story, "up");
	setitimer(ITIMER_REAL, &soon, NULL);
	run();
	assert_string_equal(story, "upak");
	loop_remove(&loop, &loop.signals);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(void)
{
	const struct CMUnitTest loop_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(tasks_run_once_each_in_the_order_of_their_marks),
		TEST(unmarked_task_does_not_run),
		TEST(task_marked_by_a_task_runs_after_the_next_batch),
		TEST(marked_task_is_not_waited_for),
		TEST(what_was_buried_is_freed_after_the_tasks),
		TEST(what_is_still_buried_is_freed_with_the_loop),
		TEST(source_is_called_for_what_it_wants),
		TEST(hang_up_is_read_and_broken_pipe_is_written),
		TEST(only_what_is_ready_is_told),
		TEST(peer_that_went_is_heard_before_what_it_sent_is_read),
		TEST(source_that_wants_nothing_is_not_called_for_a_hang_up),
		TEST(source_removed_earlier_in_the_batch_is_not_called),
		TEST(descriptor_that_is_closed_is_an_error),
		TEST(interrupted_wait_goes_on),
		TEST(signals_are_reported_with_who_sent_them),
	};

	return cmocka_run_group_tests(loop_tests, NULL, NULL);
}
