/* The event loop's timers: their order, and what becomes of those that are moved. */
#include "unit_timers.h"

#define COUNT 300

static void assert_in_order(const struct clock *clocks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < count; k++)
			if (clocks[i].timer.due_us < clocks[k].timer.due_us && clocks[i].turn &&
			    clocks[k].turn)
				assert_true(clocks[i].turn < clocks[k].turn);
}

/* Of a list of heaps, each no earlier than what it lies below: how many are in them. */
static int count(const struct loop_timer *first, const struct loop_timer *holder, uint64_t due_us)
{
	int found = 0;

	for (const struct loop_timer *timer = first; timer; timer = timer->beside) {
		assert_true(timer->armed && timer->due_us >= due_us);
		assert_ptr_equal(timer->holder, holder);
		holder = timer;
		found += 1 + count(timer->below, timer, timer->due_us);
	}
	return found;
}

static int count_armed(void)
{
	return count(loop.heap, NULL, 0);
}

static void timers_come_in_the_order_of_their_time(void **state)
{
	static struct clock clocks[COUNT];
	uint64_t seed = 4;

	(void)state;
	make(clocks, COUNT);
	for (size_t i = 0; i < COUNT; i++)
		loop_arm(&loop, &clocks[i].timer, unit_below(&seed, 40));
	run_for(60);
	assert_int_equal(turns, COUNT);
	assert_int_equal(count_armed(), 0);
	assert_in_order(clocks, COUNT);
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
			loop_arm(&loop, &clocks[at].timer, 10 + unit_below(&seed, 90));
		else
			loop_disarm(&loop, &clocks[at].timer);
		want = 0;
		for (size_t k = 0; k < COUNT; k++)
			want += armed[k];
		assert_int_equal(count_armed(), want);
	}
	assert_int_equal(count_armed(), want);
	run_for(150);
	assert_int_equal(turns, want);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(clocks[i].times, armed[i]);
	assert_in_order(clocks, COUNT);
}

static void timer_that_is_armed_again_comes_once_at_its_new_time(void **state)
{
	struct clock clocks[3];
	uint64_t begun_us = loop_now_us();

	(void)state;
	make(clocks, 3);
	loop_arm(&loop, &clocks[0].timer, 1);
	loop_arm(&loop, &clocks[1].timer, 10);
	loop_arm(&loop, &clocks[2].timer, 60000);
	loop_arm(&loop, &clocks[0].timer, 20);
	loop_arm(&loop, &clocks[2].timer, 5);
	run_for(40);
	assert_int_equal(turns, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(clocks[i].times, 1);
	/* Whoever was kept from the processor between these lines has them in another order. */
	assert_in_order(clocks, 3);
	assert_true(clocks[0].timer.due_us >= begun_us + 20 * 1000);
	assert_true(clocks[2].timer.due_us < begun_us + 60000 * 1000);
}

static void timer_does_not_come_early(void **state)
{
	struct clock clock;
	uint64_t begun = loop_now_ms();

	(void)state;
	make(&clock, 1);
	loop_arm(&loop, &clock.timer, 30);
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
	loop_arm(&loop, &clocks[0].timer, 1);
	loop_disarm(&loop, &clocks[0].timer);
	loop_disarm(&loop, &clocks[0].timer);
	/* Both are due at once, and the first takes the second out. */
	clocks[0].disarms = &clocks[1];
	clocks[1].disarms = &clocks[0];
	loop_arm(&loop, &clocks[1].timer, 0);
	loop_arm(&loop, &clocks[0].timer, 0);
	run_for(10);
	assert_int_equal(turns, 1);
}

/* Both are due at once, and the first puts the second off. */
static void timer_that_is_put_off_when_it_was_due_comes_later(void **state)
{
	struct clock clocks[2];

	(void)state;
	make(clocks, 2);
	for (int i = 0; i < 2; i++) {
		clocks[i].arms = &clocks[!i];
		clocks[i].arms_after_ms = 60000;
		loop_arm(&loop, &clocks[i].timer, 0);
	}
	run_for(10);
	assert_int_equal(turns, 1);
	assert_int_equal(count_armed(), 1);
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
	loop_arm(&loop, &clock.timer, 2);
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
	loop_arm(&loop, &clock.timer, 0);
	run_rounds(20);
	loop_disarm(&loop, &clock.timer);
	assert_in_range(clock.times, 1, 20);
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
	loop_arm(&loop, &clocks[0].timer, UINT64_MAX);
	loop_arm(&loop, &clocks[1].timer, UINT64_MAX - 5);
	loop_arm(&loop, &clocks[2].timer, INT64_C(1) << 40);
	assert_true(clocks[0].timer.due_us == UINT64_MAX);
	run_for(5);
	assert_int_equal(turns, 0);
}

int main(void)
{
	const struct CMUnitTest loop_timer_tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, unit_set_up, unit_tear_down)
		TEST(timers_come_in_the_order_of_their_time),
		TEST(timers_that_were_moved_and_taken_out_keep_the_order),
		TEST(timer_that_is_armed_again_comes_once_at_its_new_time),
		TEST(timer_does_not_come_early),
		TEST(disarmed_timer_never_comes),
		TEST(timer_that_is_put_off_when_it_was_due_comes_later),
		TEST(timer_may_arm_itself_again),
		TEST(timer_armed_with_0_comes_in_the_next_round),
		TEST(loop_sleeps_until_the_next_timer),
		TEST(timer_for_the_end_of_time_waits),
	};

	return cmocka_run_group_tests(loop_timer_tests, NULL, NULL);
}
