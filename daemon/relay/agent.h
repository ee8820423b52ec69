/*
 * The one stream to the guest: connecting for ever, the host's half of the handshake, a sign of
 * life, and the guest's restarts. Its owner gets whole frames, and says what goes out.
 */
#ifndef MSB_RELAY_AGENT_H
#define MSB_RELAY_AGENT_H

#include "hello.h"
#include "outbox.h"
#include "shared/address/dial.h"
#include "shared/io/link.h"
#include "shared/io/process.h"
#include "shared/wire/msg.h"

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
	/* It is no stream of a guest's and never was: why. Nobody would be served by waiting. */
	void (*on_wrong)(struct relay_agent *agent, const char *why);
	/* A ready came; the one before, and all sessions, are over. */
	void (*on_up)(struct relay_agent *agent);
	/*
	 * The stream is lost, or the guest has restarted: why. All sessions are over, but those
	 * for which relay_agent_keeps() holds.
	 */
	void (*on_down)(struct relay_agent *agent, const char *why);
	void (*on_frame)(struct relay_agent *agent, const struct frame *frame);
	/* What was asked for and not given, room for frames or for input, is there. */
	void (*on_room)(struct relay_agent *agent);
	bool (*may_read)(struct relay_agent *agent);

	enum agent_state state;
	struct dial dial; /* while an attempt is under way */
	struct link link; /* unless it is down */
	struct outbox outbox;
	struct hello hello;
	pid_t process;		      /* behind an exec: address, while there is a stream */
	struct process_ending ending; /* and that of the stream before */
	struct loop_timer clock; /* down: the next attempt; else the next look at the silence */
	struct loop_timer stall; /* while a frame is cut short */
	struct loop_timer held;	 /* while frames wait for a quota that was never given */
	unsigned pause_ms;
	unsigned asked;	    /* questions that nothing has been heard for */
	uint64_t heard_ms;  /* when bytes came last */
	uint64_t held_ms;   /* when the last wait for a first quota began */
	unsigned probes;    /* how often it was asked whether it is still the same guest */
	bool keeps;	    /* what was put since the last of them is for the next guest */
	uint32_t mark;	    /* that an agent which knows marks is to put behind its frames */
	bool asked_mark;    /* it was asked to: no ready counts without that one */
	bool torn;	    /* what comes may hold the rest of a frame, in which anything may be */
	bool unheard;	    /* it began anew behind what it was asked, and is to be asked again */
	bool looked;	    /* any ack was sent, and a ready without a mark may answer that */
	bool wants_room;    /* somebody was told that there is none, and waits */
	bool wants_stream;  /* the same for what streams carry */
	bool wants_input;   /* and for input */
	bool complained;    /* this outage is in the log */
	bool was_up;	    /* at any time */
	bool ran_before;    /* the guest served an earlier host, whose commands may still run */
	const char *lost;   /* why the stream is to be given up after this batch */
	uint8_t first[8];   /* what the stream began with */
	size_t passed_over; /* bytes before the first greeting */

	struct buf ready; /* the whole frame, byte for byte */
	uint8_t generation;
	uint32_t features; /* enum msg_feature */
};

/* Makes the first attempt to connect. */
void relay_agent_start(struct relay_agent *agent);

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

/*
 * A mark for what is started now: whether the guest that hears of it will be the next one, should
 * this one turn out to have restarted.
 */
static inline unsigned relay_agent_probe(const struct relay_agent *agent)
{
	return agent->outbox.shut ? agent->probes : 0;
}

static inline bool relay_agent_keeps(const struct relay_agent *agent, unsigned probe)
{
	return agent->keeps && probe == agent->probes;
}

/*
 * Whether a client's frames may be queued. What the relay says itself always may. A no is
 * remembered, and taken back by on_room().
 */
bool relay_agent_has_room(struct relay_agent *agent);

/* The same for what belongs to streams of files and TCP. */
bool relay_agent_has_stream_room(struct relay_agent *agent);

/*
 * How many bytes of input may be put now; 0: not even its end. A no is remembered as above. An agent
 * without a quota takes any.
 */
size_t relay_agent_input_room(struct relay_agent *agent);

/*
 * The queue of what goes out, for the msg functions; only while up. The second is for what belongs
 * to streams of files and TCP. After each frame comes relay_agent_told().
 */
struct buf *relay_agent_out(struct relay_agent *agent);
struct buf *relay_agent_out_stream(struct relay_agent *agent);

/* A frame was put there, with this result: a stream that cannot hold it is given up. */
void relay_agent_told(struct relay_agent *agent, int result);

/* Input for a command, at most as much as relay_agent_input_room() said; none is its end. */
void relay_agent_put_input(struct relay_agent *agent, uint32_t id, const uint8_t *data, size_t len);

/* Tries to get out what is queued; returns how many bytes are left. */
size_t relay_agent_flush(struct relay_agent *agent);

/* Takes note that the owner's answer to may_read() may have changed. */
static inline void relay_agent_mark(struct relay_agent *agent)
{
	if (agent->state != AGENT_DOWN)
		link_mark(&agent->link);
}

#endif
