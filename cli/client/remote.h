/*
 * One session as its client sees it, of several on a connection: the request, or how it came to one that is
 * kept, what is sent to it as far as its credit goes, what it says, and how it ended.
 */
#ifndef MSB_REMOTE_H
#define MSB_REMOTE_H

#include "cli/options/opts.h"
#include "client.h"
#include "shared/wire/credit.h"

enum remote_state {
	REMOTE_NONE,
	REMOTE_AWAY,	/* its connection is lost, and it may go on by another one */
	REMOTE_ASKED,	/* its request has been sent */
	REMOTE_STARTED, /* and the agent has said that it runs */
};

enum remote_how {
	REMOTE_EXITED,
	REMOTE_FAILED,	/* it could not be started */
	REMOTE_REFUSED, /* or was ended by the agent */
	REMOTE_DETACHED,
};

struct remote_end {
	enum remote_how how;
	bool had_started;
	struct msg_exec_exited exited; /* of REMOTE_EXITED; code -1 where it does not decode */
	struct msg_exec_failed failed; /* of REMOTE_FAILED; of REMOTE_REFUSED its message */
	enum msg_detached detached;    /* of REMOTE_DETACHED */
	char line[512];
	const char *why; /* that message as a line, never empty; NULL: REMOTE_EXITED */
};

struct remote {
	struct client_session session;
	enum remote_state state;
	uint32_t pid; /* in the guest; 0 until it runs */
	bool tty;
	bool merged;	 /* it was asked for with one pipe for its stdout and stderr */
	bool end_due;	 /* its input is at an end, once all is sent */
	struct buf feed; /* for its stdin */
	struct credit input;
	struct credit_account output;
	struct msg_exec_resize size; /* of its terminal, as it was told */

	/* Of one that is kept, the bytes counted since its start: */
	char id[MSG_SESSION_ID_LEN + 1]; /* empty: it is not, or the agent does not say */
	char name[MSG_SESSION_NAME_MAX + 1];
	enum msg_attach mode;
	bool input_only;	/* it was come to for its stdin alone */
	bool attaches;		/* the session was asked for, and not a command */
	bool retains;		/* input is held until it is acknowledged, for remote_resume() */
	bool end_sent;		/* of its input */
	uint32_t turn;		/* how often somebody had come to have it, when it did */
	uint64_t at[2];		/* of the next byte of output that comes, by enum msg_stream */
	uint64_t input_at;	/* of the first byte of input that was not acknowledged, */
	struct buf sent;	/* and what was sent from there on, if that is held, */
	uint64_t in_flight;	/* which was so much when the connection was lost */
	uint64_t back_ms;	/* when it was come to, */
	uint64_t back_at;	/* and how much output there was before that */
	uint8_t *space;		/* of remote_begin() */
	enum msg_stream moving; /* whose output on_body() takes */

	/* Its creator's, set before it is started; each may be NULL. */
	void *owner;
	void (*on_started)(struct remote *remote);
	/* The same of one that is kept; so many bytes of what was wanted are gone, of each stream by enum
	 * msg_stream. What attached points to is valid until this returns. */
	void (*on_attached)(struct remote *remote, const struct msg_session_attached *attached,
			    const uint64_t missed[2]);
	/* So many bytes more are gone, as it looks on and is slow. */
	void (*on_skipped)(struct remote *remote, enum msg_stream stream, uint64_t missed);
	/* remote_detach() was in vain, and it goes on. */
	void (*on_stays)(struct remote *remote, struct msg_text why);
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
	bool merges;	    /* stdout and stderr are one pipe, where the agent can */
	bool is_first;	    /* it gets the id that is kept for one session */
	uint64_t in_flight; /* bytes of output, of an agent that counts; 0: the usual */
	const char *term;   /* TERM, or NULL: ours */
	uint64_t hold_ms;   /* of one that is kept: its output is, for so long, if we are lost */
	bool retains;	    /* so that remote_resume() loses no input */
};

/* Requests it on that connection, with these options. 0, or -errno with *err filled. */
int remote_start(struct remote *remote, struct client *client, const struct opts *opts,
		 const struct remote_terms *terms, struct err *err);

struct remote_attach {
	const char *session; /* its id or its name */
	enum msg_attach mode;
	bool input_only;
	bool has_since;
	uint64_t since; /* the first byte of its stdout that is wanted */
};

/* Comes to one that is kept: of the terms is_first, tty and term say nothing, but a terminal of ours. */
int remote_attach(struct remote *remote, struct client *client, const struct remote_attach *attach,
		  const struct remote_terms *terms, struct err *err);

/*
 * Its connection is lost: it is taken from there, and what remote_resume() needs to go on where it was is
 * kept. False: that cannot be. What is sent to it meanwhile waits.
 */
bool remote_suspend(struct remote *remote);

/* Goes on by that connection, which is another one. The session may be gone: on_end() says so. */
int remote_resume(struct remote *remote, struct client *client, const struct remote_terms *terms,
		  struct err *err);

/* It was come to only a moment ago, and nothing came since: to lose that is no other loss than the one before. */
bool remote_was_brief(const struct remote *remote);

/* Forgets it: what it still says is nobody's. Legal on zeroes. */
void remote_release(struct remote *remote);

/* It was asked for, and is not over. */
static inline bool remote_runs(const struct remote *remote)
{
	return remote->state >= REMOTE_ASKED;
}

/* Something changed that its owner's turns derive from. What is said to one that is over goes nowhere. */
void remote_mark(struct remote *remote);

/*
 * For its stdin, in order; the end of it comes behind all that. 0 or -ENOMEM, -ENOBUFS. The first gives the
 * connection up without memory; the second leaves it to its caller what becomes of a session that lacks this.
 */
int remote_send(struct remote *remote, const void *data, size_t len);
int remote_try_to_send(struct remote *remote, const void *data, size_t len);
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

/* All that it was sent is on its way, and an end of its input, too. */
bool remote_has_sent_all(const struct remote *remote);

/* So much went without credit that its agent may be stuck on it. */
bool remote_may_be_stuck(const struct remote *remote);

void remote_signal(struct remote *remote, int signal);

/*
 * The size of our window, if it is another than its terminal has. repaint: also if it is not, by another
 * size and back, since programs paint the screen anew when the size changes. Whether it was told.
 */
bool remote_tell_window(struct remote *remote, bool repaint);

/* Another size than our window's, so that the right one, told a moment later, is a change. */
void remote_tell_other(struct remote *remote);

/* The same, whatever it was, to all that have a terminal. */
void remote_tell_all(struct client *client);

/* Nobody reads that output any more; only of an agent that knows that. */
void remote_close_output(struct remote *remote, enum msg_stream stream);

/*
 * Leaves it, and it is kept: on_end() or on_stays() follows, of an agent that knows that. modes: what is on in
 * our terminal, of one that has it.
 */
void remote_detach(struct remote *remote, uint32_t modes);

#endif
