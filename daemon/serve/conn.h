/*
 * One client's connection: the greeting, its turns and its queue, who it is, its time for a frame,
 * and its end. What becomes of its frames is its taker's affair. A client that breaks the framing or
 * the rules loses its own connection; nobody else notices.
 */
#ifndef MSB_CONN_H
#define MSB_CONN_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/door/budget.h"
#include "daemon/door/peer.h"
#include "daemon/session/job.h"
#include "shared/io/link.h"
#include "shared/list.h"
#include "shared/log.h"

/* Ids of the reference relay's first slot; they are per connection here. */
#define CONN_ID_MIN 1u
#define CONN_ID_END 33554431u /* exclusive */

#define CONN_BULK_MIN (64 * 1024) /* bytes of a frame of input from which moving its pages pays */

struct conn;

/* What its taker makes of a connection. All but on_frame may be NULL. */
struct conn_calls {
	/* 0, or -errno: it makes no sense, and framing is lost with it. */
	int (*on_frame)(struct conn *conn, const struct frame *frame);

	/* A turn has ended. NULL: the budget bounds the time for a frame. */
	void (*on_turn)(struct conn *conn);

	/* What comes makes no sense. NULL: the connection is closed. */
	void (*on_framing_lost)(struct conn *conn);

	/*
	 * It is closed, and the taker's to initialize again, but not before the batch's timers. NULL: it
	 * came from conn_open() and is freed.
	 */
	void (*on_closed)(struct conn *conn);
};

/* All connections of a daemon, and what they share. The owner fills in the first part. */
struct conn_host {
	struct job_host *jobs;
	const struct budget *budget;
	const struct conn_calls *calls;	      /* of what conn_open() opens */
	uint64_t boot_time_ns, ready_time_ns; /* what core.ready says */
	void (*on_closed)(struct conn_host *host);

	struct list conns;
	size_t conn_count;
};

/* Written by conn.c alone; others read the first part, whose link and outlet have functions. */
struct conn {
	struct conn_host *host;
	char name[32]; /* for log lines */
	bool trusted;  /* may end the daemon */
	struct owner owner;
	bool relayed; /* and it may say for whom it asks */
	struct link link;
	struct outlet outlet;

	const struct conn_calls *calls;
	struct list_node in_host;
	struct loop_grave grave;
	uint32_t body_id;	/* whose input the link's body is */
	struct peer_use *use;	/* where it is counted besides; or NULL */
	struct loop_timer rest; /* armed: its user has had his share of our time */
	bool heard;		/* in this turn */
	bool comes_once;	/* over our standard input: who is dropped has no way back */
	bool rests;		/* by the last look */
	struct frame_clock clock;
	struct log_rate said;
};

/*
 * Takes ownership of the descriptors and greets; peer is copied. 0 or -errno, with the descriptors
 * closed.
 */
int conn_open(struct conn_host *host, int in_fd, int out_fd, const struct peer *peer);

/* The same for a connection that its taker holds, with on_closed. Says nothing yet. */
void conn_init(struct conn *conn, struct conn_host *host, int in_fd, int out_fd,
	       const struct peer *peer, enum link_manner manner, const struct conn_calls *calls);

/* Queues core.ready, with the mark of the frames that follow, or 0. 0 or -errno. */
int conn_greet(struct conn *conn, uint32_t frame_mark);

/* Whether one more line of that level may be logged on account of what the client did. */
static inline bool conn_may_say(struct conn *conn, enum log_level level)
{
	return log_may(&conn->said, level, loop_now_ms(), conn->name);
}

/*
 * Closes the one that has been silent for the longest, of those of one user or of all (NULL), if any has
 * been for BUDGET_SILENCE_US: whether it did.
 */
bool conn_make_room(struct conn_host *host, const struct peer_use *of);

/* Whether no frame is taken, since nobody takes what the ones before have caused. */
bool conn_is_choked(struct conn *conn);

/* Closes every connection at once; only when the daemon ends. */
void conn_close_all(struct conn_host *host);

/* Tries to get out what is queued for the clients; returns how many bytes are left. */
size_t conn_flush_all(struct conn_host *host);

#endif
