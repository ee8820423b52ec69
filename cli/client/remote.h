/*
 * One session as its client sees it, of several on a connection: the request, what is sent to it as far as
 * its credit goes, what it says, and how it ended.
 */
#ifndef MSB_REMOTE_H
#define MSB_REMOTE_H

#include "cli/options/opts.h"
#include "client.h"
#include "shared/wire/credit.h"

enum remote_state {
	REMOTE_NONE,
	REMOTE_ASKED,	/* its request has been sent */
	REMOTE_STARTED, /* and the agent has said that it runs */
};

enum remote_how {
	REMOTE_EXITED,
	REMOTE_FAILED,	/* it could not be started */
	REMOTE_REFUSED, /* or was ended by the agent */
};

struct remote_end {
	enum remote_how how;
	bool had_started;
	struct msg_exec_exited exited; /* of REMOTE_EXITED; code -1 where it does not decode */
	struct msg_exec_failed failed; /* of REMOTE_FAILED; of REMOTE_REFUSED its message */
	char line[512];
	const char *why; /* that message as a line, never empty; NULL: REMOTE_EXITED */
};

struct remote {
	struct client_session session;
	enum remote_state state;
	uint32_t pid; /* in the guest; 0 until it runs */
	bool tty;
	bool end_due;	 /* its input is at an end, once all is sent */
	struct buf feed; /* for its stdin */
	struct credit input;
	struct credit_account output;
	struct msg_exec_resize size; /* of its terminal, as it was told */

	/* Its creator's, set before it is started; each may be NULL. */
	void *owner;
	void (*on_started)(struct remote *remote);
	void (*on_data)(struct remote *remote, enum msg_type stream, const char *data, size_t len);
	/*
	 * The beginning of large output: whether its owner took it, and takes the rest by on_body(), as a
	 * link has it. Both or neither.
	 */
	bool (*on_part)(struct remote *remote, enum msg_type stream, const char *data, size_t len);
	ssize_t (*on_body)(struct remote *remote, int fd, size_t len);
	/* Less than REMOTE_FEED_LOW waits to be sent. */
	void (*on_room)(struct remote *remote);
	void (*on_input_error)(struct remote *remote, const struct msg_stdin_error *error);
	/* What it said does not decode. NULL: output is passed over, an end is one without words. */
	void (*on_garbled)(struct remote *remote, const char *what);
	/* It is over, and free to be started again. What end points to is valid until this returns. */
	void (*on_end)(struct remote *remote, const struct remote_end *end);
};

#define REMOTE_FEED_LOW (256 * 1024)

struct remote_terms {
	bool tty;	    /* with the size of our own */
	bool is_first;	    /* it gets the id that is kept for one session */
	uint64_t in_flight; /* bytes of output, of an agent that counts; 0: the usual */
	const char *term;   /* TERM, or NULL: ours */
};

/* Requests it on that connection, with these options. 0, or -errno with *err filled. */
int remote_start(struct remote *remote, struct client *client, const struct opts *opts,
		 const struct remote_terms *terms, struct err *err);

/* Forgets it: what it still says is nobody's. Legal on zeroes. */
void remote_release(struct remote *remote);

/* It was asked for, and is not over. */
static inline bool remote_runs(const struct remote *remote)
{
	return remote->state != REMOTE_NONE;
}

/* Something changed that its owner's turns derive from. What is said to one that is over goes nowhere. */
void remote_mark(struct remote *remote);

/* For its stdin, in order; the end of it comes behind all that. 0 or -ENOMEM, -ENOBUFS. */
int remote_send(struct remote *remote, const void *data, size_t len);
void remote_end_input(struct remote *remote);

/* What it was sent goes before the next frame, as far as its credit lets it. */
void remote_flush(struct remote *remote);

/*
 * The same for whoever reads only what may go, and keeps nothing: how much of want that is; room for so
 * much, as msg_data_begin() has it, and how much was read into it, which goes now.
 */
size_t remote_room(const struct remote *remote, size_t want);
int remote_begin(struct remote *remote, size_t max, uint8_t **ret_space);
void remote_commit(struct remote *remote, size_t len);

/* Moves what may go from a pipe: as bulk_fill(), or -ENOMEM, -ENOBUFS. One at a time. */
ssize_t remote_move(struct remote *remote, int fd, size_t max);
bool remote_is_moving(const struct remote *remote);

/* So much went without credit that its agent may be stuck on it. */
bool remote_may_be_stuck(const struct remote *remote);

void remote_signal(struct remote *remote, int signal);

/*
 * The size of our window, if it is another than its terminal has. repaint: also if it is not, by another
 * size and back, since programs paint the screen anew when the size changes. Whether it was told.
 */
bool remote_tell_window(struct remote *remote, bool repaint);

/* The same, whatever it was, to all that have a terminal. */
void remote_tell_all(struct client *client);

/* Nobody reads that output any more; only of an agent that knows that. */
void remote_close_output(struct remote *remote, enum msg_stream stream);

#endif
