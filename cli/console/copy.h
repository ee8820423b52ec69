/*
 * A file on its way between the host and the guest: a session beside the console's shell, whose stdin or
 * stdout it is.
 */
#ifndef MSB_CONSOLE_COPY_H
#define MSB_CONSOLE_COPY_H

#include "cli/client/remote.h"
#include "cli/terminal/stream.h"

struct copy {
	struct remote remote;
	struct stream file; /* the host's */
	int fd;		    /* its descriptor, owned, while there is one */
	bool to_guest;
	bool to_terminal; /* as lines, then */
	int status;	  /* of the guest's half, once that has ended */
	char *part;	  /* owned: the name that it has until it is whole, or NULL */
	char *path;	  /* owned: and the one that it takes then */
	void *owner;
	/* What the guest's command says, for a person. */
	void (*on_said)(void *owner, const char *data, size_t len);
	/* It is over: the status of that command, or EXIT_FAILED and why, a line. */
	void (*on_done)(void *owner, int status, const char *why);
};

/*
 * Starts the options' command in the guest, with that file for its stdin (to_guest) or its stdout. The
 * callbacks, part and path must be set; fd is taken. Calls on_done later, or at once.
 */
void copy_start(struct copy *copy, struct client *client, const struct opts *opts, bool to_guest,
		int fd, struct buf_spare *spare);

/* Ends it where it is: on_done is called with that status. */
void copy_cancel(struct copy *copy, int status);

/* Its connection is lost: so does that. */
void copy_lose(struct copy *copy);
void copy_release(struct copy *copy);

static inline bool copy_runs(const struct copy *copy)
{
	return copy->file.loop != NULL;
}

/* Bytes that the host's file has not taken yet. */
static inline size_t copy_waiting(const struct copy *copy)
{
	return copy_runs(copy) ? buf_len(&copy->file.queue) : 0;
}

#endif
