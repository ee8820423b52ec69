/*
 * Where the frames of a client's sessions go: the queue of its connection, which they share. Whoever finds it
 * in its way is told when it has moved, in the order in which the members were last served; and one whose
 * input waits holds up the connection. Of its members it knows their ids, and what may be said to them.
 */
#ifndef MSB_OUTLET_H
#define MSB_OUTLET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/io/link.h"
#include "shared/list.h"
#include "shared/wire/msg.h"

struct outlet_member;

struct outlet_calls {
	/* The queue has moved, or the client has taken all; called for each once any has asked. */
	void (*on_moved)(struct outlet_member *member);

	/* The client is gone, or no longer behind that id. The member may leave. */
	void (*on_lost)(struct outlet_member *member);

	/* What the client says; all are harmless at any time of a member's life. No data: the end of it. */
	void (*on_input)(struct outlet_member *member, struct msg_bytes data);
	/*
	 * The same for len bytes that are still in a socket: their number, 0 at the socket's end, or -errno;
	 * when the command takes no more, they are read away.
	 */
	ssize_t (*on_move)(struct outlet_member *member, int from_fd, size_t len);
	bool (*can_move)(const struct outlet_member *member);
	void (*on_resize)(struct outlet_member *member, const struct msg_exec_resize *size);
	void (*on_signal)(struct outlet_member *member, int signal);
	void (*on_output_close)(struct outlet_member *member, enum msg_stream stream);
	void (*on_output_credit)(struct outlet_member *member, uint64_t consumed);
	/* It leaves, and the session goes on: kept, or the answer says why not. */
	void (*on_detach)(struct outlet_member *member, const struct msg_session_detach *detach);
	/* A bad frame was answered on this id, which ends it for the client. */
	void (*on_abandon)(struct outlet_member *member);
};

/* Embedded in its owner, which may read the first two. */
struct outlet_member {
	struct outlet *outlet; /* NULL: in none */
	uint32_t id;
	const struct outlet_calls *calls;
	bool stalled;
	struct list_node by_id, turn;
};

/* Part of a client's connection; for its own file alone. */
struct outlet {
	struct link *link; /* the connection's */
	bool awaited;	   /* a member waits for the queue to move */
	unsigned stalled;  /* members whose input holds up the connection */
	uint64_t sent_ms;  /* when the queue last ran empty */
	struct list by_id[64];
	struct list turns; /* all members; who was served last is last */
};

static inline void outlet_init(struct outlet *outlet, struct link *link)
{
	*outlet = (struct outlet){.link = link};
}

/* ---- for the connection ---- */

/* The member of that id, or NULL. */
struct outlet_member *outlet_find(const struct outlet *outlet, uint32_t id);

/* Nobody is behind the ids from start to before end any more; UINT64_MAX: behind none. */
void outlet_lose(struct outlet *outlet, uint32_t start, uint64_t end);

/* on_move() of that member, or of none: then they are read away. */
ssize_t outlet_move(struct outlet_member *member, int from_fd, size_t len);

/* After each flush of the queue. Costs nothing while no member has asked for it. */
void outlet_flushed(struct outlet *outlet, bool emptied);

/* Whether no more of the connection is to be read for now. */
static inline bool outlet_is_stalled(const struct outlet *outlet)
{
	return outlet->stalled;
}

/* ---- for the members ---- */

/* Whether there are several of them. */
static inline bool outlet_is_shared(const struct outlet *outlet)
{
	return outlet->turns.first != outlet->turns.last;
}

/* calls must live as long as the member is in. */
void outlet_join(struct outlet *outlet, struct outlet_member *member, uint32_t id,
		 const struct outlet_calls *calls);
void outlet_leave(struct outlet_member *member);

/* What their frames are queued in. */
static inline struct link *outlet_link(const struct outlet *outlet)
{
	return outlet->link;
}

/* When it last ran empty, in the loop's time. */
static inline uint64_t outlet_sent_ms(const struct outlet *outlet)
{
	return outlet->sent_ms;
}

/* The next flush is to be told to the members. */
static inline void outlet_await(struct outlet *outlet)
{
	outlet->awaited = true;
}

/* Output of the member was put in: the others go before it. */
void outlet_served(struct outlet_member *member);

/* Whether the input that waits for the member's taking is over its limit. */
void outlet_stall(struct outlet_member *member, bool stalled);

#endif
