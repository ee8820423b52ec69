/*
 * Ctrl-C that a command in the shell was given: the second in a row kills it, and when one has brought no
 * prompt the shell is looked at, which may be at another one than ours.
 */
#ifndef MSB_CONSOLE_INTERRUPTS_H
#define MSB_CONSOLE_INTERRUPTS_H

#include "guest.h"

/* All zero but the guest. */
struct interrupts {
	struct guest *guest; /* not owned */
	struct side side;    /* kills, or looks */
	struct loop_timer due;
	unsigned count; /* in a row */
	uint64_t last_ms;
};

void interrupts_release(struct interrupts *interrupts);

/* Another line runs: a row begins. */
void interrupts_begin(struct interrupts *interrupts);

/* Those among keys that what runs was given. */
void interrupts_count(struct interrupts *interrupts, const char *keys, size_t len);

/* The shell is looked at in a moment, unless a prompt has come by then. */
void interrupts_expect_prompt(struct interrupts *interrupts);
void interrupts_end(struct interrupts *interrupts);

/* The connection is lost, by which it was looked. */
void interrupts_lose(struct interrupts *interrupts);

/* What was not killed by now is not what was to be killed. */
void interrupts_cancel(struct interrupts *interrupts);

#endif
