/* The time that a client has for a frame, on a loop. */
#include <sys/socket.h>
#include <unistd.h>

#include "unit_budget.h"
#include "unit_link.h"
#include "unit_loop.h"

#define LONG_MS 1000000 /* more than any machine takes for a test */

static const struct budget unhurried = {.frame_ms = LONG_MS, .greeting_ms = LONG_MS};
/* Each for what is to be late: the other could be before it, on a slow machine. */
static const struct budget hasty_greeting = {.frame_ms = LONG_MS, .greeting_ms = 30};
static const struct budget hasty_frame = {.frame_ms = 60, .greeting_ms = LONG_MS};
static struct frame_clock clock_under_test;
static struct link link_under_test;
static int peer_fd;
static bool reads;

static void on_late(struct loop_timer *timer)
{
	(void)timer;
	tell(clock_under_test.runs == CLOCK_GREETING ? 'g' : 'f');
	loop_stop(&loop);
}

static void on_watched(struct link *link, bool is_read)
{
	frame_clock_run(&clock_under_test, link, reads && is_read);
}

static void on_link_end(struct link *link, enum link_end how, int error)
{
	(void)how;
	(void)error;
	link_stop(link);
}

static const struct link_calls calls = {
	.wish = unit_link_takes,
	.on_frame = unit_link_drops,
	.on_flushed = unit_link_flushed,
	.on_watched = on_watched,
	.on_end = on_link_end,
};

static void assert_runs(enum frame_clock_runs what)
{
	assert_int_equal(clock_under_test.runs, what);
	assert_int_equal(clock_under_test.timer.armed, what != CLOCK_OFF);
	assert_string_equal(story, "");
}

/* Until what is due then would be due later. */
static void wait_beyond(uint64_t due_us)
{
	while (loop_now_us() + LONG_MS * UINT64_C(1000) <= due_us)
		;
}

static void put(const struct buf *bytes, size_t from, size_t to)
{
	assert_int_equal(write(peer_fd, buf_head(bytes) + from, to - from), to - from);
}

static struct buf ping(void)
{
	struct buf out;

	buf_init(&out, 4096, NULL);
	assert_int_equal(msg_put_empty(&out, 9, MSG_PING), 0);
	return out;
}

static void start(const struct budget *budget)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	peer_fd = pair[1];
	reads = true;
	link_init(&link_under_test, &loop, pair[0], pair[0], 4096, NULL, &calls, LINK_HEARS_HANGUP);
	frame_clock_start(&clock_under_test, &loop, budget, on_late);
}

static void end(void)
{
	frame_clock_stop(&clock_under_test);
	assert_false(clock_under_test.timer.armed);
	link_release(&link_under_test);
	close(peer_fd);
}

static void client_that_says_nothing_is_late(void **state)
{
	(void)state;
	start(&hasty_greeting);
	run();
	assert_string_equal(story, "g");
	end();
}

static void client_that_has_spoken_may_be_silent(void **state)
{
	struct buf bytes = ping();

	(void)state;
	start(&unhurried);
	settle();
	assert_runs(CLOCK_GREETING);
	put(&bytes, 0, buf_len(&bytes));
	settle();
	assert_runs(CLOCK_OFF);
	buf_release(&bytes);
	end();
}

static void frame_that_is_not_ended_is_late(void **state)
{
	struct buf bytes = ping();

	(void)state;
	start(&hasty_frame);
	put(&bytes, 0, buf_len(&bytes));
	put(&bytes, 0, 7);
	run();
	assert_string_equal(story, "f");
	buf_release(&bytes);
	end();
}

/* Be it in as many pieces as it has bytes: it is the frame's time, and not a piece's. */
static void piece_of_a_frame_gives_it_no_more_time(void **state)
{
	struct buf bytes = ping();
	uint64_t first;

	(void)state;
	start(&unhurried);
	put(&bytes, 0, 5);
	settle();
	assert_runs(CLOCK_FRAME);
	first = clock_under_test.timer.due_us;
	wait_beyond(first);
	put(&bytes, 5, 6);
	settle();
	assert_runs(CLOCK_FRAME);
	assert_int_equal(clock_under_test.timer.due_us, first);
	buf_release(&bytes);
	end();
}

static void each_frame_has_its_own_time(void **state)
{
	struct buf bytes = ping();
	uint64_t first;

	(void)state;
	start(&unhurried);
	put(&bytes, 0, 5);
	settle();
	assert_runs(CLOCK_FRAME);
	first = clock_under_test.timer.due_us;
	wait_beyond(first);
	put(&bytes, 5, buf_len(&bytes));
	put(&bytes, 0, 5);
	settle();
	assert_runs(CLOCK_FRAME);
	assert_true(clock_under_test.timer.due_us > first);
	buf_release(&bytes);
	end();
}

/* What it has to wait for us is not held against it. */
static void clock_stands_while_we_do_not_read(void **state)
{
	struct buf bytes = ping();

	(void)state;
	start(&hasty_frame);
	put(&bytes, 0, buf_len(&bytes));
	put(&bytes, 0, 7);
	reads = false;
	settle();
	assert_runs(CLOCK_OFF);
	reads = true;
	put(&bytes, 7, 8);
	run();
	assert_string_equal(story, "f");
	buf_release(&bytes);
	end();
}

static void time_may_have_no_bound(void **state)
{
	struct buf bytes = ping();

	(void)state;
	start(&unit_budget);
	settle();
	assert_false(clock_under_test.timer.armed);
	put(&bytes, 0, 7);
	settle();
	assert_int_equal(clock_under_test.runs, CLOCK_FRAME);
	assert_false(clock_under_test.timer.armed);
	buf_release(&bytes);
	end();
}

int main(void)
{
	const struct CMUnitTest budget_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_set_up, unit_tear_down)
		TEST(client_that_says_nothing_is_late),
		TEST(client_that_has_spoken_may_be_silent),
		TEST(frame_that_is_not_ended_is_late),
		TEST(piece_of_a_frame_gives_it_no_more_time),
		TEST(each_frame_has_its_own_time),
		TEST(clock_stands_while_we_do_not_read),
		TEST(time_may_have_no_bound),
	};

	return cmocka_run_group_tests(budget_tests, NULL, NULL);
}
