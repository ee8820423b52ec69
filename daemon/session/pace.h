/*
 * Whether what a stream writes next can wait a moment. One that brings little at a time, and that often, is left alone
 * for PACE_REST_US, as long as what it writes meanwhile has room where it waits, so that its writer does not wait: then
 * one wake-up, one frame and one write do for many of its writes. The first of them never wait.
 */
#ifndef MSB_PACE_H
#define MSB_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PACE_REST_US 1000
#define PACE_MANY    16 /* reads that follow each other before the first rest */

/* Of two streams the one that was read last; or what both bring. All zero to start with. */
struct pace {
	size_t level; /* of what was brought and is not forgotten yet */
	int stream;
	bool rested;   /* what is read next came in a rest */
	unsigned many; /* reads that followed each other */
	size_t bytes;  /* that they brought */
	uint64_t since_us, last_us, level_us;
};

/* len bytes of the stream were read; room is what has place where it writes. Whether it may rest now. */
bool pace_rests(struct pace *pace, int stream, size_t len, size_t room, uint64_t now_us);

/* The rest is over, and what came in it is read next; and then it was, if anything came. */
void pace_rested(struct pace *pace);
void pace_settle(struct pace *pace);

/* What comes next is waited for. */
void pace_reset(struct pace *pace);

/* The same len bytes: whether the two together bring more than anybody reads who waits for it. */
bool pace_floods(struct pace *pace, size_t len, uint64_t now_us);

#endif
