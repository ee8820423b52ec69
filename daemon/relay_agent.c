/* The stream to the guest: see relay_agent.h. */
#include "relay_agent.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "../shared/log.h"
#include "relay_seek.h"
#include "relay_slots.h"

#define FRAMES_A_TURN 256
#define OUT_FULL      (256 * 1024)	 /* queued bytes at which clients wait */
#define OUT_MAX	      (16 * 1024 * 1024) /* with what the relay says itself */
#define INPUT_PIECE   (1024 * 1024)
#define DIAL_MS	      10000
#define PAUSE_MIN_MS  100
#define PAUSE_MAX_MS  2000
#define NUDGE_MS      1000  /* without a ready: ask for it */
#define HANG_UP_MS    10000 /* then let the guest see that the host has changed */
#define SILENCE_MS    10000 /* of an agent that should live: ask, and the same again: give up */
#define STALL_MS      2000  /* in the midst of a frame */
#define PING_ID	      RELAY_STEP /* nobody's */
#define PING_SINCE    6		 /* the generation that knows it */

#define AGENT_OF(ptr, member) \
	((struct relay_agent *)((char *)(ptr)-offsetof(struct relay_agent, member)))

/* ---- the end of a stream ---- */

static void close_stream(struct relay_agent *agent)
{
	dial_cancel(&agent->dial);
	loop_disarm(agent->loop, &agent->clock);
	loop_disarm(agent->loop, &agent->stall);
	if (agent->state != AGENT_DOWN)
		link_release(&agent->link);
	agent->state = AGENT_DOWN;
	agent->doom = NULL;
	agent->was_full = false;
}

static void complain(struct relay_agent *agent, const char *why)
{
	if (!agent->complained)
		log_warn("%s: %s; trying until it is there", agent->name, why);
	else
		log_debug("%s: %s", agent->name, why);
	agent->complained = true;
}

static void retry(struct relay_agent *agent, const char *why)
{
	complain(agent, why);
	loop_arm(agent->loop, &agent->clock, agent->pause_ms);
	agent->pause_ms = agent->pause_ms * 2 < PAUSE_MAX_MS ? agent->pause_ms * 2 : PAUSE_MAX_MS;
}

static void lose(struct relay_agent *agent, const char *why)
{
	bool was_up = agent->state == AGENT_UP;

	close_stream(agent);
	retry(agent, why);
	if (was_up)
		agent->on_down(agent, "the connection to the guest was lost");
}

/* ---- ready ---- */

static void boot(struct relay_agent *agent)
{
	agent->booted = false;
	if (agent->bootstrap)
		relay_agent_told(agent, msg_put_bootstrap(&agent->link.out, agent->bootstrap));
}

/*
 * Whether a guest of ours has yet to answer the bootstrap, without which its commands would have
 * more privilege than they should. The reference's says ready only after it, and may not answer.
 */
static bool must_boot_first(const struct relay_agent *agent, const struct msg_ready *ready)
{
	return agent->bootstrap && !agent->booted && ready->features;
}

static void take_ready(struct relay_agent *agent, const uint8_t *wire, size_t len)
{
	uint8_t copy[SEEK_FRAME_MAX];
	struct frame frame = {.body = copy, .body_len = len - FRAME_HEADER_LEN};
	struct msg_envelope envelope = {0};
	struct msg_ready ready = {0};

	buf_release(&agent->ready);
	if (buf_append(&agent->ready, wire, len) < 0) {
		agent->doom = "no memory";
		return;
	}
	/* Decoding may change it, and clients get it as it came. */
	memcpy(copy, wire + FRAME_HEADER_LEN, frame.body_len);
	if (msg_open(&frame, &envelope) == 0)
		msg_decode(MSG_READY, envelope.payload, &ready);
	agent->generation = envelope.v;
	agent->features = ready.features;
	if (must_boot_first(agent, &ready))
		return;
	agent->state = AGENT_UP;
	agent->pause_ms = PAUSE_MIN_MS;
	agent->asked = 0;
	if (agent->complained)
		log_warn("%s: the agent is there", agent->name);
	agent->complained = false;
	loop_arm(agent->loop, &agent->clock, SILENCE_MS);
	agent->on_up(agent);
}

/* The guest says hello: for the first time, or because it has restarted. */
static void greet(struct relay_agent *agent, enum seek_found found, const uint8_t *wire, size_t len)
{
	if (agent->state == AGENT_UP) {
		log_info("%s: the guest restarted", agent->name);
		agent->state = AGENT_SEEKING;
		agent->asked = 0;
		loop_arm(agent->loop, &agent->clock, NUDGE_MS);
		agent->on_down(agent, "the guest restarted");
		boot(agent);
	}
	if (found == SEEK_READY) {
		take_ready(agent, wire, len);
		return;
	}
	agent->booted = true;
	relay_agent_told(agent, msg_put_empty(&agent->link.out, 0, MSG_INIT_ACK));
}

/* ---- frames ---- */

/* Before ready, whatever is no greeting is the rest of something older. */
static bool seek(struct relay_agent *agent)
{
	struct buf *in = &agent->link.in;
	size_t at, len = 0;
	enum seek_found found = seek_greeting(buf_head(in), buf_len(in), &at, &len);

	if (at)
		log_debug("%s: %zu bytes from before passed over", agent->name, at);
	if (found != SEEK_NOTHING)
		greet(agent, found, buf_head(in) + at, len);
	buf_consume(in, at + len);
	return found != SEEK_NOTHING;
}

static void take_frame(struct relay_agent *agent, const struct frame *frame)
{
	const uint8_t *wire = frame->body - FRAME_HEADER_LEN;
	enum seek_found found = frame->id ? SEEK_NOTHING : seek_look(wire, frame->wire_len);

	if (found != SEEK_NOTHING)
		greet(agent, found, wire, frame->wire_len);
	else
		agent->on_frame(agent, frame);
}

/* False when framing is lost. */
static bool take_frames(struct relay_agent *agent)
{
	struct frame frame;
	int r = 1;

	for (int i = 0; i < FRAMES_A_TURN && !agent->doom && r > 0; i++) {
		if (agent->state == AGENT_SEEKING) {
			r = seek(agent);
			continue;
		}
		if (!agent->may_read(agent))
			return true;
		r = link_next(&agent->link, &frame);
		if (r <= 0)
			break;
		take_frame(agent, &frame);
		link_done(&agent->link, &frame);
	}
	if (r > 0)
		relay_agent_mark(agent);
	return r >= 0;
}

static bool wants_to_read(struct relay_agent *agent)
{
	return agent->state == AGENT_SEEKING || agent->may_read(agent);
}

/* A frame that breaks off may have been cut by the guest's restart. */
static void watch_for_stall(struct relay_agent *agent)
{
	if (agent->state != AGENT_UP || !buf_len(&agent->link.in) || !agent->may_read(agent))
		loop_disarm(agent->loop, &agent->stall);
	else if (!agent->stall.slot)
		loop_arm(agent->loop, &agent->stall, STALL_MS);
}

static void on_turn(struct loop_task *task)
{
	struct relay_agent *agent = AGENT_OF(task, turn);
	bool full;

	if (agent->state == AGENT_DOWN)
		return;
	if (!take_frames(agent))
		agent->doom = "the frames make no sense";
	link_flush(&agent->link);
	if (agent->link.broken && !agent->link.ended)
		agent->doom = agent->link.error ? strerror(agent->link.error) : "closed";
	if (agent->link.ended && wants_to_read(agent) && !agent->turn.marked)
		agent->doom = agent->link.error ? strerror(agent->link.error)
						: "the other end closed the connection";
	if (agent->doom) {
		lose(agent, agent->doom);
		return;
	}
	full = !relay_agent_has_room(agent);
	if (agent->was_full && !full)
		agent->on_room(agent);
	agent->was_full = full;
	watch_for_stall(agent);
	link_watch(&agent->link, wants_to_read(agent), true);
}

static void on_ready(struct link *link, uint32_t ready)
{
	struct relay_agent *agent = AGENT_OF(link, link);

	if ((ready & LOOP_IN) && !link->ended) {
		link_read(link);
		agent->heard_ms = loop_now_ms();
		if (agent->state == AGENT_UP)
			agent->asked = 0;
		/* It moves on. */
		loop_disarm(agent->loop, &agent->stall);
	}
	relay_agent_mark(agent);
}

static void on_stall(struct loop_timer *timer)
{
	struct relay_agent *agent = AGENT_OF(timer, stall);
	struct buf *in = &agent->link.in;
	enum seek_found found;
	struct frame frame;
	size_t at, len = 0;

	if (agent->state != AGENT_UP || buf_len(in) < 2 || link_next(&agent->link, &frame) != 0)
		return;
	/* Only inside what is not whole: a command may print what looks like a greeting. */
	found = seek_greeting(buf_head(in) + 1, buf_len(in) - 1, &at, &len);
	if (found == SEEK_NOTHING)
		return;
	greet(agent, found, buf_head(in) + 1 + at, len);
	buf_consume(in, 1 + at + len);
	relay_agent_mark(agent);
}

/* ---- the clock: attempts, and silence ---- */

static void reap(struct relay_agent *agent)
{
	/* It ends by itself once its stream has. */
	if (agent->process > 0 && waitpid(agent->process, NULL, WNOHANG) != 0)
		agent->process = 0;
}

static void on_dialed(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	struct relay_agent *agent = AGENT_OF(dial, dial);
	char words[ERR_TEXT_MAX + 64];
	int r;

	if (fd < 0) {
		retry(agent, err_words(err, words, sizeof(words)));
		return;
	}
	agent->process = process;
	agent->state = AGENT_SEEKING;
	agent->asked = 0;
	r = link_init(&agent->link, agent->loop, fd, fd, OUT_MAX, agent->spare, on_ready);
	if (r < 0) {
		lose(agent, strerror(-r));
		return;
	}
	log_info("%s: connected; waiting for the guest", agent->name);
	boot(agent);
	loop_arm(agent->loop, &agent->clock, NUDGE_MS);
	relay_agent_mark(agent);
}

static void try_connect(struct relay_agent *agent)
{
	reap(agent);
	dial_start(&agent->dial, agent->loop, agent->endpoint, DIAL_MS, on_dialed);
}

static void on_silence(struct relay_agent *agent)
{
	uint64_t quiet = loop_now_ms() - agent->heard_ms;

	/* What we do not read says nothing about the guest. */
	if (quiet < SILENCE_MS || agent->generation < PING_SINCE || !agent->may_read(agent)) {
		loop_arm(agent->loop, &agent->clock,
			 quiet < SILENCE_MS ? SILENCE_MS - quiet : SILENCE_MS);
		return;
	}
	if (agent->asked) {
		lose(agent, "the guest says nothing any more");
		return;
	}
	agent->asked = 1;
	relay_agent_told(agent, msg_put_empty(&agent->link.out, PING_ID, MSG_PING));
	loop_arm(agent->loop, &agent->clock, SILENCE_MS);
}

static void on_clock(struct loop_timer *timer)
{
	struct relay_agent *agent = AGENT_OF(timer, clock);

	switch (agent->state) {
	case AGENT_DOWN:
		try_connect(agent);
		break;
	case AGENT_SEEKING:
		if (agent->asked) {
			agent->pause_ms = PAUSE_MIN_MS;
			lose(agent, "no answer from the guest yet");
			break;
		}
		/* A guest that did not notice a new host has said hello to the old one. */
		agent->asked = 1;
		complain(agent, "connected, but no answer from the guest yet");
		relay_agent_told(agent, msg_put_empty(&agent->link.out, 0, MSG_INIT_ACK));
		loop_arm(agent->loop, &agent->clock, HANG_UP_MS);
		break;
	case AGENT_UP:
		on_silence(agent);
		break;
	}
}

/* ---- for the owner ---- */

bool relay_agent_has_room(const struct relay_agent *agent)
{
	return agent->state == AGENT_UP && link_unsent(&agent->link) < OUT_FULL;
}

void relay_agent_told(struct relay_agent *agent, int result)
{
	if (result < 0 && result != -EMSGSIZE)
		agent->doom = "the guest takes nothing";
	relay_agent_mark(agent);
}

void relay_agent_put_input(struct relay_agent *agent, uint32_t id, const uint8_t *data, size_t len)
{
	do {
		size_t piece = len < INPUT_PIECE ? len : INPUT_PIECE;
		int r = msg_data_head(&agent->link.out, id, MSG_EXEC_STDIN, piece);

		if (r == 0)
			r = link_put(&agent->link, data, piece);
		relay_agent_told(agent, r);
		data += piece;
		len -= piece;
	} while (len);
}

int relay_agent_start(struct relay_agent *agent)
{
	agent->state = AGENT_DOWN;
	agent->turn.on_run = on_turn;
	agent->clock.on_due = on_clock;
	agent->stall.on_due = on_stall;
	agent->pause_ms = PAUSE_MIN_MS;
	buf_init(&agent->ready, SEEK_FRAME_MAX, NULL);
	return loop_arm(agent->loop, &agent->clock, 0);
}

void relay_agent_stop(struct relay_agent *agent)
{
	close_stream(agent);
	loop_unmark(agent->loop, &agent->turn);
	buf_release(&agent->ready);
	reap(agent);
}
