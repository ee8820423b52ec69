/*
 * A client of the relay: its stream, its greeting, what may be queued for it, and its end. What
 * becomes of its frames is for the one that it calls.
 */
#ifndef MSB_RELAY_CLIENT_H
#define MSB_RELAY_CLIENT_H

#include "daemon/door/budget.h"
#include "daemon/door/peer.h"
#include "shared/io/link.h"
#include "shared/list.h"
#include "shared/log.h"

struct relay_client;

struct relay_client_calls {
	/* Whether to take its next frame. Not asked of one that is to be closed. */
	enum link_wish (*wish)(struct relay_client *client);

	/* 0; -EAGAIN to be called again for the same frame later; or -errno to close it. */
	int (*on_frame)(struct relay_client *client, const struct frame *frame);

	/* After the flush of each turn: its socket has taken so many bytes since it was opened. */
	void (*on_flushed)(struct relay_client *client, uint64_t sent);

	/* Whether others wait until it takes what is queued for it. */
	bool (*is_in_the_way)(const struct relay_client *client);

	/* Whether answers are due to it: one that says no more is not closed before, for a while. */
	bool (*is_owed)(const struct relay_client *client);

	/* It is closed, and freed after this batch. */
	void (*on_closed)(struct relay_client *client);
};

/* All clients, and what they share. The owner fills in the first part. */
struct relay_clients {
	struct loop *loop;
	const struct budget *budget;
	const struct relay_client_calls *calls;
	struct buf_spare spare; /* of their queues, with its limit */

	struct list list; /* in the order in which they are woken */
	size_t count;
	struct log_rate recorded;  /* who came in this second */
	struct loop_timer missing; /* when it is said how many have no line */
};

/* Written by client.c alone; others read the first part. */
struct relay_client {
	struct relay_clients *host;
	int slot;      /* its range of ids */
	bool trusted;  /* may shut down the agent */
	bool has_uid;  /* else it is another machine's, of which only the host's own is let in */
	uint32_t uid;  /* in whose name it asks for sessions */
	char name[32]; /* for log lines */

	struct list_node in_host;
	struct link link;
	struct loop_grave grave;
	bool greeted;
	struct peer_use *use;	/* where it is counted besides; or NULL */
	struct loop_timer rest; /* armed: its user has had his share of our time */
	bool heard;		/* in this turn */
	bool rests;		/* by the last look */
	struct frame_clock clock;
	const char *closing; /* why it is closed after this batch */
	const char *ended;   /* why it says no more; answers that are due still go out */
	struct loop_timer answer_limit;
	struct loop_timer behind; /* armed: others wait for it, and it has taken nothing since */
	uint64_t behind_sent;
	struct log_rate said;
	bool recorded; /* that it came was said, and so will be that it goes */
};

/* Takes ownership of a connected socket; peer is copied. NULL without memory, and fd stays open. */
struct relay_client *relay_client_open(struct relay_clients *host, int fd, const struct peer *peer,
				       int slot);

/* Says the range of ids, end exclusive, and the agent's frame; once, however often it is called. */
void relay_client_greet(struct relay_client *client, uint32_t id_min, uint32_t id_end,
			const struct buf *ready);

/* What decides whether it is read has changed, or something was queued. */
static inline void relay_client_mark(struct relay_client *client)
{
	link_mark(&client->link);
}

/* Closes it after this batch. */
void relay_client_drop(struct relay_client *client, const char *why);

/*
 * Queues a frame as it came; if that is too much, drops the client. Returns the number of bytes, since
 * it was opened, once all that is queued is sent.
 */
uint64_t relay_client_pass(struct relay_client *client, const struct frame *frame);

/* The queue of what it is told; relay_client_mark() comes after that, unless it is on_frame(). */
static inline struct buf *relay_client_out(struct relay_client *client)
{
	return link_out(&client->link);
}

/* Whether it leaves more unread than it may for so many sessions, to be asked for yet more. */
bool relay_client_is_choked(const struct relay_client *client, size_t sessions);

/* Whether an agent that gives no credit has to wait for it. */
bool relay_client_is_behind(const struct relay_client *client);

/* Whether one more line of that level may be logged on account of what it did. */
static inline bool relay_client_may_say(struct relay_client *client, enum log_level level)
{
	return log_may(&client->said, level, loop_now_ms(), client->name);
}

/* As conn_make_room() of the other daemon. */
bool relay_clients_make_room(struct relay_clients *host, const struct peer_use *of);

/* Marks all, which take turns: whoever comes first now comes last the next time. */
void relay_clients_wake(struct relay_clients *host);

/* Tries to get out what is queued for them; returns how many bytes are left. */
size_t relay_clients_flush(struct relay_clients *host);

void relay_clients_close(struct relay_clients *host, const char *why);

#endif
