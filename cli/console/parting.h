/*
 * The end of a shell that is kept and that the console leaves: hung up on, as by a terminal that goes away, and
 * killed if it does not heed that. A shell that is not kept ends with its connection.
 */
#ifndef MSB_CONSOLE_PARTING_H
#define MSB_CONSOLE_PARTING_H

#include "cli/client/remote.h"

struct parting {
	struct client_session session; /* that was the shell's */
	struct credit_account output;  /* which nobody sees any more */
	struct loop *loop;	       /* not owned */
	struct loop_timer due;	       /* no more time for it to end by itself, or to be killed */
	bool killed;

	/* Its creator's, set before it begins. */
	void *owner;
	/* It has ended, or all was tried, or its connection is gone. */
	void (*on_done)(struct parting *parting);
};

/* Takes the session of that shell, which runs and is connected, and ends it. All zero but the owner's before. */
void parting_begin(struct parting *parting, struct remote *shell);

#endif
