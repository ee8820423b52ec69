/*
 * The one stream to the guest: connecting for ever, the host's half of the handshake, a sign of
 * life, and the guest's restarts. Its owner gets whole frames, and says what goes out.
 */
#ifndef MSB_RELAY_AGENT_H
#define MSB_RELAY_AGENT_H

#include "../shared/dial.h"
#include "../shared/link.h"
#include "../shared/msg.h"

enum agent_state {
	AGENT_DOWN,    /* no stream; the next attempt is under way */
	AGENT_SEEKING, /* a stream, on which no ready has come yet */
	AGENT_UP,
};

/* The owner fills in the first part. */
struct relay_agent {
	struct loop *loop;
	struct buf_spare *spare;
	const struct endpoint *endpoint;
	char name[ENDPOINT_NAME_MAX];
	const struct msg_bootstrap *bootstrap; /* what the guest is told first; NULL: nothing */
	/* A ready came; the one before, and all sessions, are over. */
	void (*on_up)(struct relay_agent *agent);
	/* The stream is lost, or the guest has restarted: why. All sessions are over. */
	void (*on_down)(struct relay_agent *agent, const char *why);
	void (*on_frame)(struct relay_agent *agent, const struct frame *frame);
	void (*on_room)(struct relay_agent *agent); /* what goes out is below its limit again */
	bool (*may_read)(struct relay_agent *agent);

	enum agent_state state;
	struct dial dial; /* while an attempt is under way */
	struct link link; /* unless it is down */
	pid_t process;	  /* behind an exec: address */
	struct loop_task turn;
	struct loop_timer clock; /* down: the next attempt; else the next look at the silence */
	struct loop_timer stall; /* while a frame is cut short */
	unsigned pause_ms;
	unsigned asked;	   /* questions that nothing has been heard for */
	uint64_t heard_ms; /* when bytes came last */
	bool was_full;
	bool booted;	  /* the guest has answered the bootstrap */
	bool complained;  /* this outage is in the log */
	const char *doom; /* why the stream is to be given up after this batch */

	struct buf ready; /* the whole frame, byte for byte */
	uint8_t generation;
	uint32_t features; /* enum msg_feature */
};

/* Makes the first attempt to connect. 0 or -errno. */
int relay_agent_start(struct relay_agent *agent);

/* Closes the stream without a word to the owner. */
void relay_agent_stop(struct relay_agent *agent);

static inline bool relay_agent_is_up(const struct relay_agent *agent)
{
	return agent->state == AGENT_UP;
}

static inline bool relay_agent_has(const struct relay_agent *agent, enum msg_feature feature)
{
	return agent->features & feature;
}

/* Whether a client's frames may be queued. What the relay says itself always may. */
bool relay_agent_has_room(const struct relay_agent *agent);

/* The queue of what goes out, for the msg functions; only while up. */
static inline struct buf *relay_agent_out(struct relay_agent *agent)
{
	return &agent->link.out;
}

/* A frame was put there, with this result: a stream that cannot hold it is given up. */
void relay_agent_told(struct relay_agent *agent, int result);

/* Input for a command, in frames of a size that any agent takes. */
void relay_agent_put_input(struct relay_agent *agent, uint32_t id, const uint8_t *data, size_t len);

/* Takes note that the owner's answer to may_read() may have changed. */
static inline void relay_agent_mark(struct relay_agent *agent)
{
	loop_mark(agent->loop, &agent->turn);
}

#endif
