/*
 * What is looked at in the guest before a command starts there, each by a shell in a session of its
 * own, and only where there is a reason to:
 *
 * - whether the folder that it is to run in is there, of agents that do not say so themselves. A
 *   reference agent that cannot enter it runs a command on a terminal elsewhere, without a word, and
 *   any other one it calls not found;
 * - whether the guest has a terminfo entry for a terminal of ours that few systems know. Without one
 *   vi, less and the like do not work, or not well.
 */
#ifndef MSB_LOOK_H
#define MSB_LOOK_H

#include "remote.h"

struct look {
	struct remote remote; /* the session that looks, if one does */
	bool at_term;	      /* the second of the two */
	bool tty;	      /* the command gets one */
	const char *ours;     /* TERM, while that is looked for */
	const char *term;     /* the result: what it is to be instead, static; or NULL */
	struct loop *loop;    /* NULL: nothing was ever looked at */
	struct client *client,
		*told; /* of the connection, and of the last one that a line told of */
	const struct opts *opts;
	struct loop_timer due; /* of a look that is a convenience */
	void *owner;
	/* NULL: the command can be started. */
	void (*on_done)(struct look *look, const struct err *err);
};

/*
 * Looks at what there is to be looked at for a command of these options, with or without a terminal,
 * and calls on_done, at once if there is nothing. opts must live until then.
 */
void look_at_guest(struct look *look, struct client *client, const struct opts *opts, bool tty);

/* Whatever is looked at does not matter any more; on_done is not called. Idempotent, legal on zeroes. */
void look_cancel(struct look *look);

#endif
