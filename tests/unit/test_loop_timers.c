/* The event loop's timers, and regular files, which epoll refuses and which are always ready. */
#include "../../shared/loop.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "unit.h"

#define COUNT 300

static struct loop loop;

/* A timer that notes when its turn came. */
struct clock {
	struct loop_timer timer;
	int turn;	     /* from 1; 0: not yet */
	int times, stops_at; /* the loop, after so many */
	struct clock *arms, *disarms;
	uint64_t arms_after_ms;
};

static int turns, rounds, last_round;
static struct loop_task round_task;

static void on_due(struct loop_timer *timer)
{
	struct clock *clock = (struct clock *)((char *)timer - offsetof(struct clock, timer));

	/* It is out of the heap by now, and may be armed again. */
	assert_int_equal(timer->slot, 0);
	assert_true(timer->due_ms <= loop_now_ms());
	clock->turn = ++turns;
	clock->times++;
	if (clock->times == clock->stops_at)
		loop_stop(&loop);
	if (clock->disarms)
		loop_disarm(&loop, &clock->disarms->timer);
	if (clock->arms)
		assert_int_equal(loop_arm(&loop, &clock->arms->timer, clock->arms_after_ms), 0);
}

static void on_stop(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static void on_round(struct loop_task *task)
{
	rounds++;
	if (rounds == last_round)
		loop_stop(&loop);
	else
		loop_mark(&loop, task);
}

static int set_up(void **state)
{
	(void)state;
	turns = rounds = last_round = 0;
	round_task = (struct loop_task){.on_run = on_round};
	return loop_init(&loop);
}

static int tear_down(void **state)
{
	(void)state;
	loop_release(&loop);
	return 0;
}

static void run_for(uint64_t ms)
{
	struct loop_timer stop = {.on_due = on_stop};

	loop.stopped = false;
	assert_int_equal(loop_arm(&loop, &stop, ms), 0);
	assert_int_equal(loop_run(&loop), 0);
}

/* What hangs is a failure. */
static void on_limit(struct loop_timer *timer)
{
	(void)timer;
	fail_msg("the loop does not end");
}

static void run_until_stopped(void)
{
	struct loop_timer limit = {.on_due = on_limit};

	loop.stopped = false;
	assert_int_equal(loop_arm(&loop, &limit, 10000), 0);
	assert_int_equal(loop_run(&loop), 0);
	loop_disarm(&loop, &limit);
}

static void run_rounds(int count)
{
	last_round = rounds + count;
	loop_mark(&loop, &round_task);
	run_until_stopped();
}

static void make(struct clock *clocks, size_t count)
{
	memset(clocks, 0, count * sizeof(*clocks));
	for (size_t i = 0; i < count; i++)
		clocks[i].timer.on_due = on_due;
}

static void assert_in_order(const struct clock *clocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++)
			if (clocks[i].timer.due_ms < clocks[k].timer.due_ms && clocks[i].turn &&
			    clocks[k].turn)
				assert_true(clocks[i].turn < clocks[k].turn);
}

static void timers_come_in_the_order_of_their_time(void **state)
{
	static struct clock clocks[COUNT];
	uint64_t seed = 4;

	(void)state;
	make(clocks, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(loop_arm(&loop, &clocks[i].timer, unit_below(&seed, 40)), 0);
	run_for(60);
	assert_int_equal(turns, COUNT);
	assert_int_equal(loop.heap_len, 0);
	assert_in_order(clocks, COUNT);
}

static void assert_heap(void)
{
	for (size_t slot = 1; slot <= loop.heap_len; slot++) {
		assert_int_equal(loop.heap[slot]->slot, slot);
		assert_true(slot == 1 || loop.heap[slot / 2]->due_ms <= loop.heap[slot]->due_ms);
	}
}

/* Armed, armed again and disarmed at random: the heap must stay one. */
static void timers_that_were_moved_and_taken_out_keep_the_order(void **state)
{
	static struct clock clocks[COUNT];
	static bool armed[COUNT];
	uint64_t seed = 5;
	int want = 0;

	(void)state;
	make(clocks, COUNT);
	memset(armed, 0, sizeof(armed));
	for (int i = 0; i < 20 * COUNT; i++) {
		uint32_t at = unit_below(&seed, COUNT);

		armed[at] = unit_below(&seed, 3);
		if (armed[at])
			assert_int_equal(
				loop_arm(&loop, &clocks[at].timer, 10 + unit_below(&seed, 90)), 0);
		else
			loop_disarm(&loop, &clocks[at].timer);
		assert_heap();
	}
	for (size_t i = 0; i < COUNT; i++)
		want += armed[i];
	assert_int_equal(loop.heap_len, want);
	run_for(150);
	assert_int_equal(turns, want);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(clocks[i].times, armed[i]);
	assert_in_order(clocks, COUNT);
}

static void timer_that_is_armed_again_comes_once_at_its_new_time(void **state)
{
	struct clock clocks[3];

	(void)state;
	make(clocks, 3);
	assert_int_equal(loop_arm(&loop, &clocks[0].timer, 1), 0);
	assert_int_equal(loop_arm(&loop, &clocks[1].timer, 10), 0);
	assert_int_equal(loop_arm(&loop, &clocks[2].timer, 60000), 0);
	assert_int_equal(loop_arm(&loop, &clocks[0].timer, 20), 0);
	assert_int_equal(loop_arm(&loop, &clocks[2].timer, 5), 0);
	run_for(40);
	assert_int_equal(clocks[2].turn, 1);
	assert_int_equal(clocks[1].turn, 2);
	assert_int_equal(clocks[0].turn, 3);
	assert_int_equal(turns, 3);
}

static void timer_does_not_come_early(void **state)
{
	struct clock clock;
	uint64_t begun = loop_now_ms();

	(void)state;
	make(&clock, 1);
	assert_int_equal(loop_arm(&loop, &clock.timer, 30), 0);
	run_for(20);
	assert_true(loop_now_ms() - begun >= 20);
	if (loop_now_ms() - begun < 30)
		assert_int_equal(clock.times, 0);
	run_for(20);
	assert_int_equal(clock.times, 1);
}

static void disarmed_timer_never_comes(void **state)
{
	struct clock clocks[2];

	(void)state;
	make(clocks, 2);
	loop_disarm(&loop, &clocks[0].timer);
	assert_int_equal(loop_arm(&loop, &clocks[0].timer, 1), 0);
	loop_disarm(&loop, &clocks[0].timer);
	loop_disarm(&loop, &clocks[0].timer);
	/* Both are due at once, and the first takes the second out. */
	clocks[0].disarms = &clocks[1];
	clocks[1].disarms = &clocks[0];
	assert_int_equal(loop_arm(&loop, &clocks[1].timer, 0), 0);
	assert_int_equal(loop_arm(&loop, &clocks[0].timer, 0), 0);
	run_for(10);
	assert_int_equal(turns, 1);
}

static void timer_may_arm_itself_again(void **state)
{
	uint64_t begun = loop_now_ms();
	struct clock clock;

	(void)state;
	make(&clock, 1);
	clock.arms = &clock;
	clock.arms_after_ms = 2;
	clock.stops_at = 5;
	assert_int_equal(loop_arm(&loop, &clock.timer, 2), 0);
	run_until_stopped();
	assert_true(loop_now_ms() - begun >= 10);
	loop_disarm(&loop, &clock.timer);
}

/* One that is due at once again must not keep the loop from everything else. */
static void timer_armed_with_0_comes_in_the_next_round(void **state)
{
	struct clock clock;

	(void)state;
	make(&clock, 1);
	clock.arms = &clock;
	assert_int_equal(loop_arm(&loop, &clock.timer, 0), 0);
	run_rounds(20);
	loop_disarm(&loop, &clock.timer);
	assert_in_range(clock.times, 1, 20);
}

static uint64_t cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void loop_sleeps_until_the_next_timer(void **state)
{
	uint64_t begun = cpu_ms();

	(void)state;
	run_for(200);
	assert_true(cpu_ms() - begun < 100);
}

static void timer_for_the_end_of_time_waits(void **state)
{
	struct clock clocks[3];

	(void)state;
	make(clocks, 3);
	assert_int_equal(loop_arm(&loop, &clocks[0].timer, UINT64_MAX), 0);
	assert_int_equal(loop_arm(&loop, &clocks[1].timer, UINT64_MAX - 5), 0);
	assert_int_equal(loop_arm(&loop, &clocks[2].timer, INT64_C(1) << 40), 0);
	assert_true(clocks[0].timer.due_ms == UINT64_MAX);
	run_for(5);
	assert_int_equal(turns, 0);
}

/* ---- regular files ---- */

struct reader {
	struct loop_source source;
	struct reader *removes;
	int calls, stops_at;
	uint32_t ready;
};

static void on_ready(struct loop_source *source, uint32_t ready)
{
	struct reader *reader = (struct reader *)((char *)source - offsetof(struct reader, source));

	reader->calls++;
	reader->ready |= ready;
	if (reader->calls == reader->stops_at)
		loop_stop(&loop);
	if (reader->removes)
		loop_remove(&loop, &reader->removes->source);
}

/* Returns the descriptor, for the caller to close. */
static int open_file(struct reader *reader)
{
	char path[] = "/tmp/msb-unit-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	unlink(path);
	*reader = (struct reader){.calls = 0};
	loop_source_init(&reader->source, fd, on_ready);
	return fd;
}

static void regular_file_is_always_ready(void **state)
{
	struct reader file;
	int fd = open_file(&file);

	(void)state;
	file.stops_at = 3;
	assert_int_equal(loop_want(&loop, &file.source, LOOP_IN), 0);
	run_until_stopped();
	assert_int_equal(file.ready, LOOP_IN);
	/* Until it wants nothing: then the loop sleeps. */
	assert_int_equal(loop_want(&loop, &file.source, 0), 0);
	run_for(5);
	assert_int_equal(file.calls, 3);
	file.stops_at = 6;
	assert_int_equal(loop_want(&loop, &file.source, LOOP_OUT | LOOP_IN), 0);
	run_until_stopped();
	assert_int_equal(file.ready, LOOP_OUT | LOOP_IN);
	loop_remove(&loop, &file.source);
	loop_remove(&loop, &file.source);
	assert_int_equal(file.source.fd, -1);
	run_for(5);
	assert_int_equal(file.calls, 6);
	close(fd);
}

static void ready_files_do_not_starve_the_others(void **state)
{
	struct reader file, in = {.stops_at = 10};
	int fd = open_file(&file), fds[2];
	struct clock clock;

	(void)state;
	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(write(fds[1], "x", 1), 1);
	loop_source_init(&in.source, fds[0], on_ready);
	assert_int_equal(loop_want(&loop, &file.source, LOOP_OUT), 0);
	assert_int_equal(loop_want(&loop, &in.source, LOOP_IN), 0);
	run_until_stopped();
	assert_int_equal(file.calls, 10);
	make(&clock, 1);
	clock.stops_at = 1;
	assert_int_equal(loop_arm(&loop, &clock.timer, 3), 0);
	run_until_stopped();
	loop_remove(&loop, &file.source);
	loop_remove(&loop, &in.source);
	close(fds[0]);
	close(fds[1]);
	close(fd);
}

static void file_may_remove_any_file_while_it_is_called(void **state)
{
	(void)state;
	for (size_t which = 0; which < 9; which++) {
		struct reader files[3];
		int fds[3];

		for (size_t i = 0; i < 3; i++) {
			fds[i] = open_file(&files[i]);
			assert_int_equal(loop_want(&loop, &files[i].source, LOOP_IN), 0);
		}
		files[which / 3].removes = &files[which % 3];
		run_rounds(4);
		for (size_t i = 0; i < 3; i++) {
			if (i == which % 3)
				assert_in_range(files[i].calls, 0, 1);
			else
				assert_int_equal(files[i].calls, 4);
			loop_remove(&loop, &files[i].source);
			close(fds[i]);
		}
		assert_null(loop.always);
	}
}

int main(void)
{
	const struct CMUnitTest loop_timer_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(timers_come_in_the_order_of_their_time),
		TEST(timers_that_were_moved_and_taken_out_keep_the_order),
		TEST(timer_that_is_armed_again_comes_once_at_its_new_time),
		TEST(timer_does_not_come_early),
		TEST(disarmed_timer_never_comes),
		TEST(timer_may_arm_itself_again),
		TEST(timer_armed_with_0_comes_in_the_next_round),
		TEST(loop_sleeps_until_the_next_timer),
		TEST(timer_for_the_end_of_time_waits),
		TEST(regular_file_is_always_ready),
		TEST(ready_files_do_not_starve_the_others),
		TEST(file_may_remove_any_file_while_it_is_called),
	};

	return cmocka_run_group_tests(loop_timer_tests, NULL, NULL);
}
