/*
 * One client's connection: the handshake, its queues, and when it ends. What becomes of its frames is the
 * affair of whom it was given for that. A client that breaks the framing or the rules loses its own
 * connection; nobody else notices.
 */
#ifndef MSB_CONN_H
#define MSB_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "../shared/link.h"
#include "../shared/list.h"
#include "../shared/log.h"
#include "budget.h"
#include "job.h"
#include "peer.h"

/* Ids of the reference relay's first slot; they are per connection here. */
#define CONN_ID_MIN 1u
#define CONN_ID_END 33554431u /* exclusive */

#define CONN_BULK_WORTH (64 * 1024) /* bytes of a frame of input from which moving its pages pays */

struct conn;

struct conn_calls {
	/* Acts upon one frame, or answers why not. 0, or -errno to close the connection. */
	int (*on_frame)(struct conn *conn, const struct frame *frame);
};

/* All connections of a daemon, and what they share. The owner fills in all but conns and conn_count. */
struct conn_host {
	struct job_host *jobs;
	const struct conn_calls *calls; /* of all that conn_open() opens */
	struct list conns;
	size_t conn_count;
	size_t max_jobs;
	const struct budget *budget;
	uint64_t boot_time_ns, init_time_ns, ready_time_ns; /* what core.ready says */
	void (*on_closed)(struct conn_host *host);
	void (*on_shutdown)(struct conn_host *host); /* a peer that may has asked for it */
};

/* Nobody else writes to it; whoever acts upon its frames may read the first part, and use what is in it. */
struct conn {
	struct conn_host *host;
	const struct conn_shared_calls *shared; /* of a stream that many share; or NULL */
	void *owner;				/* of such a one */
	struct link link;
	struct outlet outlet;
	bool trusted;
	char name[32];

	const struct conn_calls *calls;
	struct list_node of_host;
	struct loop_grave grave;
	uint32_t body_id; /* whose input the link's body is */
	size_t *open;	  /* where it is counted besides; or NULL */
	struct frame_clock clock;
	bool given_up; /* to be closed after this frame */
	struct log_rate said;
};

/*
 * Takes ownership of the descriptors and greets; peer is copied. NULL, with them closed, without memory.
 */
struct conn *conn_open(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer);

/*
 * A stream that many share, and that cannot be closed for what one of them does: any id is legal, nothing is
 * told unasked, and what is wrong is the affair of its owner, who hears of it.
 */
struct conn_shared_calls {
	struct conn_calls conn;
	/* A message was refused. */
	void (*on_refused)(struct conn *conn, const struct frame *frame, enum msg_type type,
			   const char *why);
	/* A turn has ended. */
	void (*on_turn)(struct conn *conn);
	/* What came makes no sense. */
	void (*on_senseless)(struct conn *conn);
	/* It is closed, and its descriptor too. */
	void (*on_closed)(struct conn *conn);
};

/*
 * Takes ownership of fd, which is non-blocking and not shared with other readers; says nothing yet. Who is there is
 * trusted. owner must live until on_closed(). NULL, with fd closed, without memory.
 */
struct conn *conn_open_shared(struct conn_host *host, int fd, const char *name,
			      const struct conn_shared_calls *calls, void *owner);

/* Closes every connection at once; only when the daemon ends. */
void conn_close_all(struct conn_host *host);

/* Tries to get out what is queued for the clients; returns how many bytes are left. */
size_t conn_flush_all(struct conn_host *host);

/* ---- for whoever acts upon its frames ---- */

/* Whether one more line may be logged on account of what the client did. */
bool conn_may_say(struct conn *conn);

/* Whether no frame is taken, since nobody takes what the ones before have caused. */
bool conn_is_choked(struct conn *conn);

/* Queues core.ready. 0 or -errno. */
int conn_greet(struct conn *conn);

/* It is closed after this frame: its client cannot be told, and would wait for ever. */
void conn_give_up(struct conn *conn);

#endif
