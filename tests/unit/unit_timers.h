/* A loop with timers that note their turns, and ways to run it for a while. For one source file. */
#ifndef MSB_UNIT_TIMERS_H
#define MSB_UNIT_TIMERS_H

#include <time.h>

#include "shared/io/loop.h"
#include "unit.h"

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

static inline void on_due(struct loop_timer *timer)
{
	struct clock *clock = (struct clock *)((char *)timer - offsetof(struct clock, timer));

	/* It is out of the heap by now, and may be armed again. */
	assert_false(timer->armed);
	assert_true(timer->due_us <= loop_now_us());
	clock->turn = ++turns;
	clock->times++;
	if (clock->times == clock->stops_at)
		loop_stop(&loop);
	if (clock->disarms)
		loop_disarm(&loop, &clock->disarms->timer);
	if (clock->arms)
		loop_arm(&loop, &clock->arms->timer, clock->arms_after_ms);
}

static inline void on_stop(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static inline void on_round(struct loop_task *task)
{
	rounds++;
	if (rounds == last_round)
		loop_stop(&loop);
	else
		loop_mark(&loop, task);
}

static inline int unit_set_up(void **state)
{
	(void)state;
	turns = rounds = last_round = 0;
	round_task = (struct loop_task){.on_run = on_round};
	return loop_init(&loop);
}

static inline int unit_tear_down(void **state)
{
	(void)state;
	loop_release(&loop);
	return 0;
}

static inline void run_for(uint64_t ms)
{
	struct loop_timer stop = {.on_due = on_stop};

	loop.stopped = false;
	loop_arm(&loop, &stop, ms);
	assert_int_equal(loop_run(&loop), 0);
}

/* What hangs is a failure. */
static inline void on_limit(struct loop_timer *timer)
{
	(void)timer;
	fail_msg("the loop does not end");
}

static inline void run_until_stopped(void)
{
	struct loop_timer limit = {.on_due = on_limit};

	loop.stopped = false;
	loop_arm(&loop, &limit, unit_limit_ms());
	assert_int_equal(loop_run(&loop), 0);
	loop_disarm(&loop, &limit);
}

static inline void run_rounds(int count)
{
	last_round = rounds + count;
	loop_mark(&loop, &round_task);
	run_until_stopped();
}

static inline void make(struct clock *clocks, size_t count)
{
	memset(clocks, 0, count * sizeof(*clocks));
	for (size_t i = 0; i < count; i++)
		clocks[i].timer.on_due = on_due;
}

static inline uint64_t cpu_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

#endif
