/*
 * A loop with things in it that may happen, each of which leaves its letter in a story. For one
 * source file of a program.
 */
#ifndef MSB_UNIT_LOOP_H
#define MSB_UNIT_LOOP_H

#include "shared/io/loop.h"
#include "unit.h"

static struct loop loop;
static struct loop_timer limit;
static char story[64]; /* what happened, a letter each */

static inline void tell(char letter)
{
	size_t len = strlen(story);

	assert_true(len + 1 < sizeof(story));
	story[len] = letter;
	story[len + 1] = '\0';
}

static inline void on_limit(struct loop_timer *timer)
{
	(void)timer;
	fail_msg("still running after %d ms: %s", (int)unit_limit_ms(), story);
}

static inline int unit_set_up(void **state)
{
	(void)state;
	story[0] = '\0';
	limit = (struct loop_timer){.on_due = on_limit};
	if (loop_init(&loop) < 0)
		return 1;
	loop_arm(&loop, &limit, unit_limit_ms());
	return 0;
}

static inline int unit_tear_down(void **state)
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

static inline void on_ready(struct loop_source *source, uint32_t ready)
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

static inline void on_run(struct loop_task *task)
{
	struct thing *thing = THING_OF(task, task);

	tell(thing->letter);
	if (thing->marks)
		loop_mark(&loop, thing->marks);
	if (thing->fires && !--thing->fires)
		loop_stop(&loop);
}

static inline struct thing thing(char letter, int fd)
{
	struct thing t = {.letter = letter, .task = {.on_run = on_run}};

	loop_source_init(&t.source, fd, on_ready);
	return t;
}

static inline void run(void)
{
	loop.stopped = false;
	assert_int_equal(loop_run(&loop), 0);
}

/* One batch, with its tasks. */
static inline void on_once(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(&loop);
}

static inline void run_once(void)
{
	struct loop_timer once = {.on_due = on_once};

	loop_arm(&loop, &once, 0);
	run();
	loop_disarm(&loop, &once);
}

static inline void on_round(struct loop_timer *timer)
{
	static int rounds;

	if (++rounds % 8 == 0)
		loop_stop(&loop);
	else
		loop_arm(&loop, timer, 0);
}

/* All that is there has been read, and acted upon: a socket of this machine brings at once what was written. */
static inline void settle(void)
{
	struct loop_timer round = {.on_due = on_round};

	loop_arm(&loop, &round, 0);
	run();
}

#endif
