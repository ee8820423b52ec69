/*
 * Whether the folder that a command is to run in is there: asked of agents that do not say so
 * themselves. A reference agent that cannot enter it runs a command on a terminal elsewhere, without
 * a word, and any other one it calls not found. So a shell looks first, in a session of its own.
 */
#ifndef MSB_FOLDER_H
#define MSB_FOLDER_H

#include "client.h"
#include "opts.h"

struct folder {
	uint32_t id; /* of the session that looks; 0: none does */
	const struct opts *opts;
	bool tty;
	void *owner;
	/* NULL: the command can be started. */
	void (*on_done)(struct folder *folder, const struct err *err);
};

/*
 * Looks for the folder that opts name, for a command with or without a terminal, and calls on_done,
 * at once if there is nothing to ask.
 */
void folder_look(struct folder *folder, struct client *client, const struct opts *opts, bool tty);

/* Takes a frame if it is of that session. */
bool folder_on_frame(struct folder *folder, const struct frame *frame,
		     const struct msg_envelope *envelope);

#endif
