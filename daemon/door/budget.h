/*
 * What clients may take of a daemon, so that whoever takes too much is told so, and nobody else
 * notices.
 */
#ifndef MSB_BUDGET_H
#define MSB_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/io/link.h"
#include "shared/io/loop.h"

#define BUDGET_SILENCE_US 2000000 /* who has not said anything for so long makes room for others */

struct budget {
	unsigned long connections;	   /* in all */
	unsigned long connections_of_user; /* of each that is not trusted */
	unsigned long sessions_of_user;	   /* the same */
	uint64_t memory;		   /* bytes of large frames in all; 0: no bound */
	uint64_t request;		   /* bytes of one, with all its text */
	uint64_t frame_ms;    /* for a frame that has begun; DURATION_INFINITE: no bound */
	uint64_t greeting_ms; /* for the first frame of a connection; the same */
};

/* The same for one process, whose memory may be less. */
static inline size_t budget_memory(const struct budget *budget)
{
	return budget->memory < SIZE_MAX ? (size_t)budget->memory : SIZE_MAX;
}

/*
 * How much of a total those may have together who are not trusted: root, our own user and the host can
 * always come.
 */
static inline size_t budget_of_others(size_t total)
{
	return total - total / 16;
}

/* From now on large pieces of memory go back to the kernel as soon as they are free. */
void budget_return_memory(void);

/* The time in which a client must have said something, and then have ended what it says. */
struct frame_clock {
	struct loop *loop;
	const struct budget *budget;
	uint64_t taken;	     /* frames by the last look */
	uint64_t started_us; /* 0: not yet */
	enum frame_clock_runs { CLOCK_OFF, CLOCK_GREETING, CLOCK_FRAME } runs;
	struct loop_timer timer; /* its owner's on_due closes the connection */
};

void frame_clock_start(struct frame_clock *clock, struct loop *loop, const struct budget *budget,
		       void (*on_due)(struct loop_timer *timer));

/* Also legal on one that was never started. */
void frame_clock_stop(struct frame_clock *clock);

/* After each turn: reads says whether the client is being heard, or has to wait for us. */
void frame_clock_run(struct frame_clock *clock, struct link *link, bool reads);

/* For how many us it has said nothing, since it was greeted; 0: it has said something, or was not. */
uint64_t frame_clock_silence(const struct frame_clock *clock, const struct link *link);

/* The time is up: queues the words for the client, which is to be dropped, and returns why. */
const char *frame_clock_late(const struct frame_clock *clock, struct link *link);

/* Queues the words for a client that is dropped for the sake of another, and returns why. */
const char *budget_make_way(struct link *link);

/* Tells whoever has just connected why it is not served, and closes the socket. */
void budget_refuse(int fd, const char *why);

#endif
