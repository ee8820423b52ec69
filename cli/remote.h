/*
 * One session as its client sees it: the request, what is sent to it as far as its credit goes, what it
 * says, and how it ended. Several may be on one connection.
 */
#ifndef MSB_REMOTE_H
#define MSB_REMOTE_H

#include "../shared/credit.h"
#include "client.h"
#include "opts.h"

struct remote;

/* The sessions of a connection; whoever owns its client passes frames and turns on. All zero: none. */
struct connection {
	struct client *client; /* not owned */
	struct remote *first;
};

struct remote {
	struct connection *on; /* not owned */
	struct remote *next;   /* of those on it */
	uint32_t id;	       /* 0: there is none */
	uint32_t pid;	       /* in the guest; 0 until it runs */
	bool tty;
	bool end_due;	 /* its input is at an end, once all is sent */
	struct buf feed; /* for its stdin */
	struct credit input;
	struct credit_account output;

	/* Its creator's, set before it is started. on_room may be NULL. */
	void *owner;
	void (*on_data)(struct remote *remote, enum msg_type stream, const char *data, size_t len);
	/* Less than REMOTE_FEED_LOW waits to be sent. */
	void (*on_room)(struct remote *remote);
	/*
	 * It is over, and the session free for another: how, and why it could not be started or was ended
	 * by the agent, or NULL. exited is all zero then.
	 */
	void (*on_end)(struct remote *remote, const struct msg_exec_exited *exited,
		       const char *why);
};

#define REMOTE_FEED_LOW (256 * 1024)

struct remote_terms {
	bool tty;
	struct msg_exec_resize size; /* of the terminal */
	const char *term;	     /* TERM, or NULL: ours */
};

/* Requests it on that connection, with these options. 0, or -errno with *err filled. */
int remote_start(struct remote *remote, struct connection *on, const struct opts *opts,
		 const struct remote_terms *terms, struct err *err);

/* Forgets it: what it still says is nobody's. Legal on zeroes. */
void remote_release(struct remote *remote);

static inline bool remote_runs(const struct remote *remote)
{
	return remote->id != 0;
}

/* For its stdin, in order; the end of it comes behind all that. 0 or -ENOMEM, -ENOBUFS. */
int remote_send(struct remote *remote, const void *data, size_t len);
void remote_end_input(struct remote *remote);

void remote_signal(struct remote *remote, int signal);
void remote_resize(struct remote *remote, const struct msg_exec_resize *size);

/* What it was sent goes before the next frame, as far as its credit lets it. */
void remote_flush(struct remote *remote);

/* A frame for one of its sessions; others are ignored. */
void connection_on_frame(struct connection *connection, const struct frame *frame,
			 const struct msg_envelope *envelope);

/* After each batch. waiting: bytes of their output that nobody took yet. */
void connection_on_turn(struct connection *connection, size_t waiting);

#endif
