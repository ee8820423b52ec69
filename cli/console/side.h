/*
 * Small commands beside the console's shell, in sessions of their own: what Tab asks, which process has the
 * terminal, what its modes are.
 */
#ifndef MSB_CONSOLE_SIDE_H
#define MSB_CONSOLE_SIDE_H

#include "cli/client/remote.h"

#define SIDE_OUTPUT_MAX (1024 * 1024)
#define SIDE_ARGS_MAX	6

struct side {
	struct remote remote;
	struct buf out;
	struct loop *loop; /* not owned */
	struct loop_timer deadline;
	void *owner;
	/* It has ended, with that status: -1 when it failed or took too long. May be NULL. */
	void (*on_done)(struct side *side, int status);
};

struct side_terms {
	const struct opts *opts; /* the user and the limits */
	uint32_t beside;	 /* the process whose folder it runs in; $1 */
	const char *shell;	 /* that runs it; NULL: /bin/sh */
	const char *script;
	const char *args[SIDE_ARGS_MAX]; /* $2 and so on; NULL behind the last */
	uint64_t within_ms;		 /* DURATION_INFINITE: until side_cancel() */
};

/* One at a time: what ran before is ended and forgotten. Calls on_done later, or at once. */
void side_start(struct side *side, struct client *client, const struct side_terms *terms);
void side_cancel(struct side *side);

/* Its connection is lost: if it runs, on_done is called, with -1. */
void side_lose(struct side *side);
void side_release(struct side *side);

#endif
