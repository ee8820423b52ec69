/* The event loop: descriptors and signals. Tasks and timers have their own files. */
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "unit_loop.h"

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
	loop_want(&loop, &in.source, LOOP_IN);
	loop_want(&loop, &out.source, LOOP_OUT);
	run();
	assert_string_equal(story, "oo");
	assert_int_equal(out.ready, LOOP_OUT);
	/* It may be taken back and asked for again. */
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_want(&loop, &out.source, 0);
	in.fires = 1;
	run();
	assert_string_equal(story, "ooi");
	assert_int_equal(in.ready, LOOP_IN);
	loop_want(&loop, &in.source, 0);
	loop_want(&loop, &out.source, LOOP_OUT);
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
	loop_want(&loop, &in.source, LOOP_IN);
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
	loop_want(&loop, &out.source, LOOP_OUT);
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
	loop_want(&loop, &both.source, LOOP_IN | LOOP_OUT);
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
	loop_want(&loop, &gone.source, LOOP_HUP);
	loop_arm(&loop, &stop, 10);
	run();
	assert_string_equal(story, "!");
	/* That it only says no more is enough. */
	shutdown(fds[1], SHUT_WR);
	run();
	close(fds[1]);
	gone.fires = 1;
	run();
	assert_string_equal(story, "!gg");
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
	loop_want(&loop, &in.source, LOOP_IN);
	loop_want(&loop, &in.source, 0);
	close(fds[1]);
	loop_arm(&loop, &stop, 20);
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
	loop_want(&loop, &a.source, LOOP_IN);
	loop_want(&loop, &b.source, LOOP_IN);
	run();
	assert_string_equal(story, "x");
	loop_remove(&loop, &a.source);
	loop_remove(&loop, &b.source);
	for (int i = 0; i < 2; i++) {
		close(one[i]);
		close(two[i]);
	}
}

/* It stays open and ready, as standard input does: nothing of the source may be left in epoll. */
static void removed_source_leaves_its_descriptor_to_others(void **state)
{
	struct loop_timer stop = {.on_due = on_stop};
	struct thing *first = malloc(sizeof(*first)), second;
	int fds[2];

	(void)state;
	assert_non_null(first);
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	*first = thing('1', fds[0]);
	loop_want(&loop, &first->source, LOOP_IN);
	loop_remove(&loop, &first->source);
	free(first);
	loop_arm(&loop, &stop, 5);
	run();
	assert_string_equal(story, "!");
	second = thing('2', fds[0]);
	second.fires = 1;
	loop_want(&loop, &second.source, LOOP_IN);
	run();
	assert_string_equal(story, "!2");
	loop_remove(&loop, &second.source);
	close(fds[0]);
	close(fds[1]);
}

/* Whoever uses it hears what is wrong. */
static void descriptor_that_is_none_is_ready_for_all(void **state)
{
	struct thing a = thing('a', 9999);

	(void)state;
	a.fires = 2;
	loop_want(&loop, &a.source, LOOP_IN | LOOP_OUT);
	run();
	assert_string_equal(story, "aa");
	assert_int_equal(a.ready, LOOP_IN | LOOP_OUT);
	loop_remove(&loop, &a.source);
	loop_want(&loop, &a.source, LOOP_IN);
	assert_int_equal(a.source.want, 0);
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
	loop_arm(&loop, &stop, 30);
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

/* A device that is hung up is ready for ever: whoever waits for a change must not be called. */
static void edge_is_told_once_a_change(void **state)
{
	struct loop_timer stop = {.on_due = on_stop};
	struct thing in;
	int fds[2];

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	in = thing('i', fds[0]);
	loop_want(&loop, &in.source, LOOP_IN | LOOP_EDGE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(write(fds[1], "x", 1), 1);
		loop_arm(&loop, &stop, 20);
		run();
	}
	assert_string_equal(story, "i!i!");
	loop_remove(&loop, &in.source);
	close(fds[0]);
	close(fds[1]);
}

int main(void)
{
	const struct CMUnitTest loop_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_set_up, unit_tear_down)
		TEST(source_is_called_for_what_it_wants),
		TEST(hang_up_is_read_and_broken_pipe_is_written),
		TEST(only_what_is_ready_is_told),
		TEST(peer_that_went_is_heard_before_what_it_sent_is_read),
		TEST(source_that_wants_nothing_is_not_called_for_a_hang_up),
		TEST(source_removed_earlier_in_the_batch_is_not_called),
		TEST(removed_source_leaves_its_descriptor_to_others),
		TEST(descriptor_that_is_none_is_ready_for_all),
		TEST(edge_is_told_once_a_change),
		TEST(interrupted_wait_goes_on),
		TEST(signals_are_reported_with_who_sent_them),
	};

	return cmocka_run_group_tests(loop_tests, NULL, NULL);
}
