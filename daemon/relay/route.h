/*
 * What a relay knows of each live id: whose answer or session it is, and the flow control that it
 * does on behalf of a client that does not know it. Pure; a route and its queue are memory alone.
 *
 * Output: bytes are credited to the agent when the client's socket has taken them. A stream that
 * carries many sessions is first in, first out, so one remembered place in it a session is enough.
 * Input: what the client sends before the agent takes it is held here.
 */
#ifndef MSB_RELAY_ROUTE_H
#define MSB_RELAY_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/buf.h"
#include "shared/list.h"
#include "shared/wire/credit.h"

#define ROUTE_SESSIONS_MAX 1024 /* of one client that may be alive, and questions about some */
#define ROUTE_MAX	   4096 /* ids of one client that may be alive */
#define ROUTE_BUCKETS	   64

enum route_kind {
	ROUTE_EXEC,   /* a command that was started here */
	ROUTE_ATTACH, /* a kept session */
	ROUTE_INPUT,  /* the stdin alone of one */
	ROUTE_QUERY,  /* a question about some, which has one last frame */
	ROUTE_STREAM, /* of files or TCP; passed through */
	ROUTE_ASK,    /* ping or touch */
};

struct route {
	uint32_t id;
	enum route_kind kind;
	uint8_t v;	/* of the client that opened it */
	unsigned probe; /* of the agent, under which it began: see relay_agent_keeps() */
	unsigned asks;	/* answers of a ROUTE_ASK that are due */
	bool tty;	/* where an end of input means nothing */
	bool kept;	/* what is behind it goes on without it */
	bool abandoned; /* the client has had its last frame; the agent has still to say its own */
	bool counts_input; /* the agent gives credit for it, which its client did not ask for */
	bool input_over;   /* the client has said all; nothing more is held */
	bool end_due;	   /* and the agent has to hear that, behind what is held */
	struct credit input;
	struct buf held;
	struct buf detach; /* the frame by which its client leaves it, behind what is held */

	struct credit_account output; /* with a window: we tell the agent */
	uint64_t passed;	      /* of output.received: the client's socket took them */
	uint64_t output_end;	      /* where in the client's stream the last of them ends */
	bool marked;
	uint64_t mark_at, mark_received; /* once so much is sent, so many have passed */

	struct route *next_of_bucket;
	struct list_node in_table;
};

/* The live ids of one range. All zero to start with. */
struct route_table {
	struct route *buckets[ROUTE_BUCKETS];
	struct list list;
	size_t count;	 /* of all */
	size_t sessions; /* of those that ROUTE_SESSIONS_MAX is for */
	size_t *of_user; /* where these are counted besides, with others of the same user; or NULL */
	size_t asks;	 /* of those that will have an answer, whatever becomes of sessions */
	size_t held;	 /* bytes of input, of all */
	size_t full;	 /* routes that hold too much of it */
};

struct route *route_find(const struct route_table *table, uint32_t id);

/* A new one, or NULL without memory. Its id must not be live. */
struct route *route_add(struct route_table *table, uint32_t id, enum route_kind kind);
void route_remove(struct route_table *table, struct route *route);
void route_clear(struct route_table *table);

/* Whether it takes signals and the like; whether it takes input; whether a last frame ends it. */
static inline bool route_is_command(const struct route *route)
{
	return route->kind <= ROUTE_ATTACH;
}

static inline bool route_takes_input(const struct route *route)
{
	return route->kind <= ROUTE_INPUT;
}

static inline bool route_is_session(const struct route *route)
{
	return route->kind <= ROUTE_QUERY;
}

/* The others of the table come before it. */
void route_served(struct route_table *table, struct route *route);

/* ---- output ---- */

/* The window to ask for on behalf of a client that has so many sessions alive. */
uint64_t route_window(size_t sessions);

/* len bytes of output were queued for the client; its stream now ends at stream_end. */
void route_queued(struct route *route, size_t len, uint64_t stream_end);

/* The client's socket has taken its stream up to there: whether to tell the agent, and what. */
bool route_sent(struct route *route, uint64_t stream_sent, uint64_t *ret_consumed);

/* ---- input ---- */

/* Holds input back: 0 or -errno of the queue. */
int route_hold(struct route_table *table, struct route *route, const uint8_t *data, size_t len);

/* How many bytes of what is held may go now; they begin at buf_head(&route->held). */
size_t route_may_go(const struct route *route, size_t max);

/* So many of them went. */
void route_went(struct route_table *table, struct route *route, size_t len);

/* Whether so much is held that no more should be read from the client. */
bool route_table_is_full(const struct route_table *table);

#endif
