/*
 * Small commands beside the console's shell, in sessions of their own on the same connection: what
 * completion asks, whether a line is whole, which process has the terminal.
 */
#ifndef MSB_CONSOLE_SIDE_H
#define MSB_CONSOLE_SIDE_H

#include "client.h"
#include "opts.h"

#define SIDE_OUTPUT_MAX (1024 * 1024)

struct side {
	struct client *client; /* not owned */
	uint32_t id;	       /* 0: none runs */
	struct buf out, err;
	struct loop_timer deadline;
	void *owner;
	/* It has ended, with that status: -1 when it failed or took too long. */
	void (*on_done)(struct side *side, int status);
};

/* What is to run: a shell's script and its arguments, in the shell's folder. */
struct side_terms {
	const struct opts *opts; /* the user and the limits */
	uint32_t beside;	 /* the process whose folder it runs in */
	const char *const *argv; /* NULL at the end, at most SIDE_ARGS_MAX */
	const char *input;	 /* at most 32 KiB */
	uint64_t within_ms;	 /* DURATION_INFINITE: until side_cancel() */
};

#define SIDE_ARGS_MAX  8
#define SIDE_INPUT_MAX (32 * 1024)

/* One at a time: what ran before is ended and forgotten. Calls on_done later, or at once. */
void side_start(struct side *side, struct client *client, uint32_t id,
		const struct side_terms *terms);
void side_cancel(struct side *side);
void side_release(struct side *side);
void side_on_frame(struct side *side, const struct msg_envelope *envelope);

#endif
