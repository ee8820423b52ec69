/*
 * A connection to an agent: connect, shake hands, and then frames, each for the session of its id. Whether
 * the agent is still there is asked of it, and whether a signal that went to it has an answer.
 */
#ifndef MSB_CLIENT_H
#define MSB_CLIENT_H

#include <stdbool.h>

#include "greeting.h"
#include "liveness.h"
#include "patience.h"
#include "reach.h"
#include "shared/err.h"
#include "shared/io/link.h"
#include "shared/io/process.h"
#include "shared/list.h"
#include "shared/wire/msg.h"

struct client_session;

struct client_session_calls {
	void (*on_frame)(struct client_session *session, const struct msg_envelope *envelope);
	/* Before each frame and after each flush. May be NULL, as may what follows. */
	void (*on_turn)(struct client_session *session);
	/* The two of large frames, as the link has them. Both or neither. */
	bool (*on_part)(struct client_session *session, const struct buf *in, size_t *ret_head,
			size_t *ret_body);
	ssize_t (*on_body)(struct client_session *session, int fd, size_t len);
	/* It is on no connection any more. */
	void (*on_dropped)(struct client_session *session);
};

/* An id of a connection, and whose its frames are. All zero: nobody's. */
struct client_session {
	struct client *client; /* not owned */
	struct list_node of_client;
	uint32_t id;
	const struct client_session_calls *calls;
};

struct client {
	struct loop *loop;
	struct buf_spare *spare;
	struct reach reach;
	const char *name; /* of the address, for messages; owned by the reach */
	struct link link;
	pid_t process;		    /* that was started for the connection, or 0 */
	struct loop_source ending;  /* its pidfd, while it is waited for to say how it ended */
	struct process_ending old;  /* that of a try before this one */
	struct loop_timer deadline; /* of the greeting, or of an answer that the owner waits for */
	bool linked;		    /* there is a link */
	bool greeted;
	bool lost;
	struct greeting agent; /* what it is, once greeted */
	uint32_t last_id;      /* that was used: of a ping, or of one more session */
	struct list sessions;
	struct client_session *body_of; /* whose the rest of the present frame is, or NULL */

	bool listens; /* the link is read dry, so that silence is the agent's */
	struct liveness liveness;
	struct loop_timer alive;
	struct patience patience;
	struct loop_timer patience_due;
	uint32_t answer_id;  /* of the ping whose answer patience waits for, or 0 */
	uint64_t signal_end; /* what the link has sent once it has sent the signal */

	/* The owner's. */
	void *owner;
	bool may_be_stuck; /* the agent, on what was sent to it */
	void (*on_greeted)(struct client *client);
	void (*on_lost)(struct client *client, const struct err *err);
	/* A signal that went to the agent has no answer: PATIENCE_SAY or PATIENCE_END. May be NULL. */
	void (*on_unanswered)(struct client *client, enum patience_step step);
	/* Behind the sessions' turns. Says whether to read frames. */
	bool (*on_turn)(struct client *client);
	/* Bytes of output that wait here, and that it is not to be told are taken. May be NULL: 0. */
	size_t (*waiting)(struct client *client, const struct client_session *session);
};

/*
 * Connects. The callbacks and the owner must be set before. keepalive_ms: of silence, after which the agent
 * is asked for a sign of life, and after as much again is lost; 0: never. A failure is told by on_lost, maybe
 * before this returns.
 */
void client_connect(struct client *client, struct loop *loop, const struct reach_terms *terms,
		    uint64_t keepalive_ms, struct buf_spare *spare);

/*
 * Once it is lost, for whoever wants it back: connects again, for up to so long. Sessions are dropped, and
 * on_greeted or on_lost comes once more.
 */
void client_reconnect(struct client *client, uint64_t within_ms);

/* Blocks for some seconds if a process that carried the connection does not end by itself. */
void client_release(struct client *client);

/*
 * The same on the loop, for whoever has others: whether it has gone, and client_release() will not block; to be asked
 * again. Not in a call of its own.
 */
bool client_part(struct client *client);

/* Drops its sessions, and hears and tells nothing any more. */
void client_abandon(struct client *client);

/* Something changed that on_turn derives from. */
void client_mark(struct client *client);

/* Frames of that id are for that session from now on; and for nobody: idempotent, legal on zeroes. */
void client_add(struct client *client, struct client_session *session, uint32_t id,
		const struct client_session_calls *calls);
void client_remove(struct client_session *session);

/* An id of our range that was never used, or 0 if there is none left. Pings take theirs there too. */
uint32_t client_take_id(struct client *client);

/* An answer is to come within that time, or it is lost. */
void client_expect(struct client *client, uint64_t within_ms);

/* We were stopped, or did not listen: silence so far does not count. */
void client_awake(struct client *client);

/*
 * A signal for a session has been queued: from now on it is watched whether the agent answers, with
 * a ping if it knows that. True if the person was told that this one more ends us, and so it does.
 */
bool client_signalled(struct client *client, int signal);

/*
 * The same of a key that stands for that signal. Silence after a key says nothing about an agent
 * that cannot be asked, so that none is watched.
 */
bool client_typed(struct client *client, int signal);

#endif
