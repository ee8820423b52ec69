/* The stream to the guest: see agent.h. */
#include "agent.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "seek.h"
#include "shared/base.h"
#include "shared/log.h"
#include "slots.h"

#define OUT_FULL     (256 * 1024)	/* queued bytes at which clients wait */
#define OUT_MAX	     (16 * 1024 * 1024) /* with what the relay says itself */
#define DIAL_MS	     10000
#define ENDING_MS    1000 /* from the end of its stream to that of an exec: program */
#define PAUSE_MIN_MS 100
#define PAUSE_MAX_MS 2000
#define RESET_MS     1000  /* of silence, in which another agent than ours may have begun anew */
#define SILENCE_MS   10000 /* of an agent that should live: ask, and the same again: give up */
#define AGAIN_MS     200   /* of silence, behind a ready of one that lost what it was asked */
#define STALL_MS     2000  /* in the midst of a frame */
#define HELD_MS	     3000  /* before frames are given to an agent that gives no credit for any */
#define CREDIT_ID    UINT32_MAX
#define PING_LEN_MAX 64

static const char takes_nothing[] = "the guest takes nothing";
static const char no_stream[] =
	"it greets as an agent does its clients, each of which needs a connection of its own: no "
	"relay is needed, use that address with msb-exec; --agent is for a guest's one "
	"stream, such as a serial port";

/* ---- the end of a stream ---- */

static void close_stream(struct relay_agent *agent)
{
	dial_cancel(&agent->dial);
	loop_disarm(agent->loop, &agent->clock);
	loop_disarm(agent->loop, &agent->stall);
	loop_disarm(agent->loop, &agent->held);
	outbox_clear(&agent->outbox);
	if (agent->state != AGENT_DOWN)
		link_release(&agent->link);
	if (agent->process > 0)
		process_end_on(&agent->ending, agent->loop, agent->process, ENDING_MS);
	agent->process = 0;
	agent->state = AGENT_DOWN;
	agent->lost = NULL;
}

static void complain(struct relay_agent *agent, const char *why)
{
	if (!agent->complained)
		log_caused(LOG_LEVEL_WARN, "%s: %s; trying until it is there", agent->name, why);
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
	bool had_sessions = agent->state == AGENT_UP || agent->keeps;

	close_stream(agent);
	agent->keeps = false;
	if (why == no_stream && !agent->was_up) {
		agent->on_wrong(agent, why);
		return;
	}
	retry(agent, why);
	if (had_sessions)
		agent->on_down(agent, "the connection to the guest was lost");
}

/* ---- the greeting ---- */

static void say(struct relay_agent *agent, const struct buf *frame, int r)
{
	if (r == 0)
		r = outbox_put_first(&agent->outbox, frame);
	relay_agent_told(agent, r);
}

static void take_steps(struct relay_agent *agent, unsigned steps)
{
	const struct msg_init_ack ack = {agent->asked_mark ? agent->mark : 0};
	struct buf frame;

	buf_init(&frame, FRAME_WIRE_MAX, agent->spare);
	if (steps & HELLO_BOOTSTRAP)
		say(agent, &frame, msg_put(&frame, 0, MSG_BOOTSTRAP, agent->bootstrap));
	buf_consume(&frame, buf_len(&frame));
	if (steps & HELLO_ACK) {
		say(agent, &frame, msg_put(&frame, 0, MSG_INIT_ACK, &ack));
		link_mark_frames(&agent->link, ack.frame_mark);
	}
	buf_consume(&frame, buf_len(&frame));
	if (steps & HELLO_PING)
		say(agent, &frame, msg_put_empty(&frame, SEEK_PONG_ID, MSG_PING));
	buf_release(&frame);
	if (steps & HELLO_HANG_UP)
		agent->lost = "no answer from the guest yet";
}

static void ask_mark(struct relay_agent *agent, unsigned before)
{
	agent->asked_mark = true;
	take_steps(agent, before | HELLO_ACK);
}

/* One that nobody can have written down before. */
static void draw_mark(struct relay_agent *agent)
{
	if (getrandom(&agent->mark, sizeof(agent->mark), GRND_NONBLOCK) != sizeof(agent->mark))
		agent->mark = (uint32_t)(loop_now_us() * 0x9e3779b97f4a7c15u >> 32);
	agent->mark |= !agent->mark;
}

static void forget_mark(struct relay_agent *agent)
{
	agent->asked_mark = agent->torn = agent->unheard = agent->looked = false;
	link_expect_mark(&agent->link, 0);
	link_mark_frames(&agent->link, 0);
	draw_mark(agent);
}

/*
 * By a number that was in no question before: only the answer to this one counts, and it is the last. Whoever
 * answers has heard the bootstrap before it, too.
 */
static void ask_anew(struct relay_agent *agent)
{
	draw_mark(agent);
	agent->torn = true;
	agent->unheard = false;
	ask_mark(agent, hello_begin(&agent->hello));
}

/*
 * Where the rest of a frame is, whose beginning the one before it had, a new agent loses its framing, and with that
 * what we have asked behind it: it says ready once more. It may do so many times, and the last counts.
 */
static void doubt_heard(struct relay_agent *agent, const struct msg_ready *ready)
{
	if (agent->looked || ready->frame_mark || !(ready->features & MSG_FEATURE_FRAME_MARK))
		return;
	agent->unheard = true;
	loop_arm(agent->loop, &agent->clock, AGAIN_MS);
}

static bool has_our_mark(const struct relay_agent *agent, const struct msg_ready *ready)
{
	return agent->asked_mark && ready->frame_mark == agent->mark;
}

/*
 * Once a mark was asked for no ready counts but the one that has it: others are older, or any command's
 * output. Whether this one does.
 */
static bool is_for_us(struct relay_agent *agent, const struct msg_ready *ready)
{
	if (!agent->asked_mark && !(ready->features & MSG_FEATURE_FRAME_MARK))
		return true;
	if (!agent->asked_mark)
		ask_mark(agent, 0);
	else if (has_our_mark(agent, ready))
		link_expect_mark(&agent->link, agent->mark);
	else
		doubt_heard(agent, ready);
	return link_expects_mark(&agent->link);
}

static void go_up(struct relay_agent *agent, bool ran_before)
{
	agent->state = AGENT_UP;
	link_take_raw(&agent->link, false);
	agent->was_up = true;
	agent->ran_before = ran_before;
	agent->keeps = false;
	agent->pause_ms = PAUSE_MIN_MS;
	agent->asked = 0;
	quota_meet(&agent->outbox.quota, agent->generation, ran_before);
	if (agent->complained)
		log_caused(LOG_LEVEL_WARN, "%s: the agent is there", agent->name);
	agent->complained = false;
	loop_arm(agent->loop, &agent->clock, SILENCE_MS);
	agent->on_up(agent);
	/* What was held back from the guest before is for this one. */
	agent->outbox.shut = false;
	relay_agent_mark(agent);
}

/*
 * What our clients are greeted with: the agent's own words, but of one whose requests are encoded anew, so that
 * keys which we do not know are lost, none of the features that we do not know either.
 */
static int keep_ready(struct relay_agent *agent, const struct msg_ready *ready, const uint8_t *wire,
		      size_t len)
{
	struct msg_ready said = *ready;

	buf_release(&agent->ready);
	if (!(ready->features & (MSG_FEATURE_SESSIONS | MSG_FEATURE_FRAME_MARK)))
		return buf_append(&agent->ready, wire, len);
	/* Marks are between the agent and us. */
	said.features &= ~(uint32_t)MSG_FEATURE_FRAME_MARK;
	said.frame_mark = 0;
	return msg_put(&agent->ready, 0, MSG_READY, &said);
}

static void take_ready(struct relay_agent *agent, const uint8_t *wire, size_t len)
{
	uint8_t copy[SEEK_FRAME_MAX];
	struct msg_envelope envelope = {0};
	struct msg_ready ready = {0};
	bool asked = agent->hello.booted, is_up;

	if (seek_open(wire, len, copy, &envelope) == 0)
		msg_decode(MSG_READY, envelope.payload, &ready);
	if (keep_ready(agent, &ready, wire, len) < 0) {
		agent->lost = "no memory";
		return;
	}
	agent->generation = envelope.v;
	agent->features = ready.features;
	/* Whoever answers the ack has heard the bootstrap before it. */
	if (agent->torn && has_our_mark(agent, &ready))
		hello_resolved(&agent->hello);
	take_steps(agent, hello_ready(&agent->hello, ready.features, &is_up));
	if (is_up && is_for_us(agent, &ready))
		go_up(agent, false);
	else if (asked && !is_up)
		doubt_heard(agent, &ready);
}

/* A guest that runs has said ready to another host, and does so once. */
static void take_pong(struct relay_agent *agent, const uint8_t *wire)
{
	struct msg_ready ready = {.agent_version = {"", 0}};
	uint8_t generation = seek_generation(wire);

	if (!hello_is_running(&agent->hello, generation))
		return;
	agent->generation = generation;
	agent->features = 0;
	buf_release(&agent->ready);
	if (msg_put(&agent->ready, 0, MSG_READY, &ready) < 0) {
		agent->lost = "no memory";
		return;
	}
	log_caused(LOG_LEVEL_INFO, "%s: the guest was running already", agent->name);
	/* What it gave credit for before that is not known, so it is made to say it again. */
	take_steps(agent, HELLO_PING);
	go_up(agent, true);
}

static void start_over(struct relay_agent *agent, enum seek_found found)
{
	log_caused(LOG_LEVEL_INFO, "%s: the guest restarted", agent->name);
	agent->state = AGENT_SEEKING;
	link_take_raw(&agent->link, true);
	forget_mark(agent);
	agent->asked = 0;
	/* What came while it was asked has not reached the one before. */
	agent->keeps = agent->outbox.shut && found == SEEK_RESOLVED;
	if (!agent->keeps)
		outbox_clear(&agent->outbox);
	quota_restart(&agent->outbox.quota);
	hello_restart(&agent->hello, found == SEEK_RESOLVED);
	loop_arm(agent->loop, &agent->clock, HELLO_LOOK_MS);
	agent->on_down(agent, "the guest restarted");
}

/* The guest says hello: for the first time, or because it has restarted. */
static void greet(struct relay_agent *agent, enum seek_found found, const uint8_t *wire, size_t len)
{
	if (agent->state == AGENT_UP)
		start_over(agent, found);
	switch (found) {
	case SEEK_READY:
		take_ready(agent, wire, len);
		break;
	case SEEK_RESOLVED:
		if (agent->torn)
			break;
		agent->unheard = false;
		take_steps(agent, hello_resolved(&agent->hello));
		loop_arm(agent->loop, &agent->clock, HELLO_PATIENCE_MS);
		break;
	case SEEK_PONG:
		take_pong(agent, wire);
		break;
	case SEEK_NOTHING:
		break;
	}
}

/* Whether the stream began with a range of ids, as agents and relays give to their clients. */
static bool is_for_clients(const struct relay_agent *agent)
{
	uint32_t min = frame_u32(agent->first);
	int slot = relay_slot_of(min);

	return agent->passed_over == sizeof(agent->first) && slot >= 0 &&
	       frame_u32(agent->first + 4) == relay_slot_end(slot);
}

static void pass_over(struct relay_agent *agent, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len && agent->passed_over + i < sizeof(agent->first); i++)
		agent->first[agent->passed_over + i] = data[i];
	agent->passed_over += len;
	if (len)
		log_debug("%s: %zu bytes from before passed over", agent->name, len);
}

/* ---- frames ---- */

/* Before ready, whatever is no greeting is the rest of something older. */
static int on_bytes(struct link *link, struct buf *in)
{
	struct relay_agent *agent = container_of(link, struct relay_agent, link);
	size_t at, len = 0;
	enum seek_found found = seek_greeting(buf_head(in), buf_len(in), &at, &len);

	pass_over(agent, buf_head(in), at);
	if (found == SEEK_READY && is_for_clients(agent))
		agent->lost = no_stream;
	else if (found != SEEK_NOTHING)
		greet(agent, found, buf_head(in) + at, len);
	buf_consume(in, at + len);
	/* Of this stream no beginning is to come any more. */
	agent->passed_over += len;
	return found != SEEK_NOTHING;
}

static void take_credit(struct relay_agent *agent, const struct frame *frame)
{
	struct msg_transport_credit credit;
	struct msg_envelope envelope;

	if (msg_open(frame, &envelope) == 0 && envelope.type == MSG_TRANSPORT_CREDIT &&
	    msg_decode(MSG_TRANSPORT_CREDIT, envelope.payload, &credit) == 0)
		quota_grant(&agent->outbox.quota, &credit);
}

static int on_frame(struct link *link, const struct frame *frame)
{
	struct relay_agent *agent = container_of(link, struct relay_agent, link);
	const uint8_t *wire = frame->body - FRAME_HEADER_LEN;
	enum seek_found found = frame->id ? SEEK_NOTHING : seek_look(wire, frame->wire_len);

	if (found != SEEK_NOTHING)
		greet(agent, found, wire, frame->wire_len);
	else if (frame->id == CREDIT_ID)
		take_credit(agent, frame);
	else if (frame->id == SEEK_PONG_ID)
		agent->outbox.shut = false;
	else
		agent->on_frame(agent, frame);
	return 0;
}

static enum link_wish wish(struct link *link)
{
	struct relay_agent *agent = container_of(link, struct relay_agent, link);
	bool may = !agent->lost && (agent->state == AGENT_SEEKING || agent->may_read(agent));

	return may ? LINK_TAKE : LINK_WAIT;
}

/* A frame that breaks off may have been cut by the guest's restart. */
static void watch_for_stall(struct relay_agent *agent)
{
	if (agent->state != AGENT_UP || !link_cut(&agent->link) || !agent->may_read(agent))
		loop_disarm(agent->loop, &agent->stall);
	else if (!agent->stall.armed)
		loop_arm(agent->loop, &agent->stall, STALL_MS);
}

static bool has_room(const struct relay_agent *agent)
{
	return agent->state == AGENT_UP && !buf_len(&agent->outbox.control) &&
	       link_unsent(&agent->link) < OUT_FULL;
}

/* Of streams, which may wait for quota while all else goes on. */
static bool has_stream_room(const struct relay_agent *agent)
{
	return has_room(agent) && !buf_len(&agent->outbox.streams);
}

static size_t input_room(const struct relay_agent *agent)
{
	if (agent->state != AGENT_UP || link_unsent(&agent->link) >= OUT_FULL)
		return 0;
	return outbox_input_room(&agent->outbox);
}

/*
 * Whoever was told to wait is woken by what there is now, whatever was there in between. It was
 * told outside this turn, which is why the telling marks it.
 */
static void serve_waiting(struct relay_agent *agent)
{
	if (!(agent->wants_room && has_room(agent)) &&
	    !(agent->wants_stream && has_stream_room(agent)) &&
	    !(agent->wants_input && input_room(agent)))
		return;
	agent->wants_room = agent->wants_stream = agent->wants_input = false;
	agent->on_room(agent);
}

/* An agent that counts gives credit for the first frame that it takes. */
static void watch_quota(struct relay_agent *agent)
{
	const struct outbox *outbox = &agent->outbox;

	if (agent->state != AGENT_UP || outbox->quota.granted || !outbox->quota.counts ||
	    (!outbox_is_held(outbox) && !agent->wants_input && !outbox->quota.unknown)) {
		loop_disarm(agent->loop, &agent->held);
	} else if (!agent->held.armed) {
		loop_arm(agent->loop, &agent->held, HELD_MS);
		agent->held_ms = loop_now_ms();
	}
}

static void on_flushed(struct link *link, bool emptied)
{
	struct relay_agent *agent = container_of(link, struct relay_agent, link);

	(void)emptied;
	/* What came may have been quota. */
	if (outbox_pump(&agent->outbox) < 0)
		agent->lost = takes_nothing;
	link_flush(link);
	if (agent->lost) {
		lose(agent, agent->lost);
		return;
	}
	serve_waiting(agent);
	watch_quota(agent);
	watch_for_stall(agent);
}

static void on_read(struct link *link)
{
	struct relay_agent *agent = container_of(link, struct relay_agent, link);

	agent->heard_ms = loop_now_ms();
	quota_heard(&agent->outbox.quota);
	if (agent->state == AGENT_UP)
		agent->asked = 0;
	/* It moves on. */
	loop_disarm(agent->loop, &agent->stall);
}

/*
 * A frame broke off, and the first words of the next agent have filled it, or may have: it is asked for others, which
 * nobody else can say, since what is in that frame may look like any.
 */
static void look_behind_cut(struct relay_agent *agent)
{
	buf_consume(link_in(&agent->link), 1);
	start_over(agent, SEEK_NOTHING);
	ask_anew(agent);
	relay_agent_mark(agent);
}

static void on_end(struct link *link, enum link_end how, int error)
{
	struct relay_agent *agent = container_of(link, struct relay_agent, link);

	if (how == LINK_SENSELESS && agent->state == AGENT_UP && link_expects_mark(link))
		look_behind_cut(agent);
	else if (how == LINK_SENSELESS)
		lose(agent, "the frames make no sense");
	else if (error)
		lose(agent, strerror(error));
	else
		lose(agent, how == LINK_BROKEN ? "closed" : "the other end closed the connection");
}

static const struct link_calls calls = {
	.wish = wish,
	.on_frame = on_frame,
	.on_bytes = on_bytes,
	.on_read = on_read,
	.on_flushed = on_flushed,
	.on_end = on_end,
};

static void on_stall(struct loop_timer *timer)
{
	struct relay_agent *agent = container_of(timer, struct relay_agent, stall);
	struct buf *in = agent->state == AGENT_UP ? link_cut(&agent->link) : NULL;
	enum seek_found found;
	size_t at, len = 0;

	if (!in || buf_len(in) < 2)
		return;
	/* Only inside what is not whole: a command may print what looks like a greeting. */
	found = seek_greeting(buf_head(in) + 1, buf_len(in) - 1, &at, &len);
	if (found == SEEK_NOTHING)
		return;
	if (link_expects_mark(&agent->link)) {
		look_behind_cut(agent);
		return;
	}
	greet(agent, found, buf_head(in) + 1 + at, len);
	buf_consume(in, 1 + at + len);
	relay_agent_mark(agent);
}

/* ---- the clock: attempts, and silence ---- */

static void on_dialed(struct dial *dial, int fd, pid_t process, const struct err *err)
{
	struct relay_agent *agent = container_of(dial, struct relay_agent, dial);
	char words[ERR_TEXT_MAX + 64];

	if (fd < 0) {
		retry(agent, err_words(err, words, sizeof(words)));
		return;
	}
	agent->process = process;
	agent->state = AGENT_SEEKING;
	agent->asked = 0;
	link_init(&agent->link, agent->loop, fd, fd, OUT_MAX, agent->spare, &calls,
		  LINK_TO_THE_LAST);
	link_take_raw(&agent->link, true);
	forget_mark(agent);
	log_caused(LOG_LEVEL_INFO, "%s: connected; waiting for the guest", agent->name);
	agent->passed_over = 0;
	agent->hello.boots = agent->bootstrap;
	quota_begin(&agent->outbox.quota);
	take_steps(agent, hello_begin(&agent->hello));
	loop_arm(agent->loop, &agent->clock, HELLO_LOOK_MS);
	relay_agent_mark(agent);
}

static void try_connect(struct relay_agent *agent)
{
	/* One at a time: whatever does not end by itself is made to. */
	if (agent->ending.pid) {
		loop_arm(agent->loop, &agent->clock, PAUSE_MIN_MS);
		return;
	}
	dial_start(&agent->dial, agent->loop, agent->endpoint, DIAL_MS, on_dialed);
}

/*
 * A guest that was reset on this stream waits for a bootstrap and dies of anything else, and only
 * its silence shows that it may have been. So it is asked as one at the beginning of a stream is,
 * and nothing else goes out before it answers. One that runs passes over all but the ping.
 */
static void probe(struct relay_agent *agent)
{
	struct outbox *outbox = &agent->outbox;

	if (agent->state != AGENT_UP || agent->features || !agent->hello.boots ||
	    agent->generation < HELLO_BOOT_SINCE || outbox->shut || agent->asked ||
	    loop_now_ms() - agent->heard_ms < RESET_MS || !agent->may_read(agent))
		return;
	take_steps(agent, HELLO_BOOTSTRAP | HELLO_ACK | HELLO_PING);
	agent->asked = 1;
	/* What waits already was for the guest before, and is kept for no other. */
	if (!outbox_is_held(outbox)) {
		outbox->shut = true;
		agent->probes++;
	}
	loop_arm(agent->loop, &agent->clock, SILENCE_MS);
}

/* Asks for a sign of life, unless that is asked already. */
static void ask(struct relay_agent *agent)
{
	probe(agent);
	if (!agent->outbox.shut && !agent->asked)
		take_steps(agent, HELLO_PING);
}

static void on_silence(struct relay_agent *agent)
{
	uint64_t quiet = loop_now_ms() - agent->heard_ms;

	/* What we do not read says nothing about the guest. */
	if (quiet < SILENCE_MS || agent->generation < MSG_GENERATION_PING ||
	    !agent->may_read(agent)) {
		loop_arm(agent->loop, &agent->clock,
			 quiet < SILENCE_MS ? SILENCE_MS - quiet : SILENCE_MS);
		return;
	}
	if (agent->asked) {
		lose(agent, "the guest says nothing any more");
		return;
	}
	ask(agent);
	agent->asked = 1;
	loop_arm(agent->loop, &agent->clock, SILENCE_MS);
}

static void on_seeking(struct relay_agent *agent)
{
	uint64_t wait_ms;

	if (agent->unheard) {
		ask_anew(agent);
		loop_arm(agent->loop, &agent->clock, HELLO_LOOK_MS);
		relay_agent_mark(agent);
		return;
	}
	complain(agent, "connected, but no answer from the guest yet");
	/* It may be one by now that knows no marks. */
	agent->asked_mark = agent->torn = false;
	agent->looked = true;
	take_steps(agent, hello_look(&agent->hello, &wait_ms));
	loop_arm(agent->loop, &agent->clock, wait_ms);
	if (agent->lost)
		agent->pause_ms = PAUSE_MIN_MS;
	relay_agent_mark(agent);
}

static void on_clock(struct loop_timer *timer)
{
	struct relay_agent *agent = container_of(timer, struct relay_agent, clock);

	switch (agent->state) {
	case AGENT_DOWN:
		try_connect(agent);
		break;
	case AGENT_SEEKING:
		on_seeking(agent);
		break;
	case AGENT_UP:
		on_silence(agent);
		break;
	}
}

/* Frames wait, and an agent that lives has given no credit for those it had: it gives none. */
static void on_held(struct loop_timer *timer)
{
	struct relay_agent *agent = container_of(timer, struct relay_agent, held);
	struct quota *quota = &agent->outbox.quota;

	if (agent->state != AGENT_UP || quota->granted)
		return;
	if (agent->heard_ms >= agent->held_ms) {
		log_caused(LOG_LEVEL_INFO, "%s: an agent of generation %u that gives no credit",
			   agent->name, agent->generation);
		quota_waive(quota);
	} else if (quota_fits(quota, QUOTA_CONTROL, PING_LEN_MAX)) {
		ask(agent);
	}
	relay_agent_mark(agent);
}

/* ---- for the owner ---- */

/* What there is no room for is waited for. */
static size_t look_for(struct relay_agent *agent, size_t room, bool *ret_wants)
{
	if (room)
		return room;
	*ret_wants = true;
	relay_agent_mark(agent);
	return 0;
}

bool relay_agent_has_room(struct relay_agent *agent)
{
	return look_for(agent, has_room(agent), &agent->wants_room);
}

bool relay_agent_has_stream_room(struct relay_agent *agent)
{
	return look_for(agent, has_stream_room(agent), &agent->wants_stream);
}

size_t relay_agent_input_room(struct relay_agent *agent)
{
	probe(agent);
	return look_for(agent, input_room(agent), &agent->wants_input);
}

struct buf *relay_agent_out(struct relay_agent *agent)
{
	probe(agent);
	return &agent->outbox.control;
}

struct buf *relay_agent_out_stream(struct relay_agent *agent)
{
	probe(agent);
	return &agent->outbox.streams;
}

void relay_agent_told(struct relay_agent *agent, int result)
{
	if (result == 0)
		result = outbox_pump(&agent->outbox);
	if (result < 0 && result != -EMSGSIZE)
		agent->lost = takes_nothing;
	relay_agent_mark(agent);
}

void relay_agent_put_input(struct relay_agent *agent, uint32_t id, const uint8_t *data, size_t len)
{
	relay_agent_told(agent, outbox_put_input(&agent->outbox, id, data, len));
}

size_t relay_agent_flush(struct relay_agent *agent)
{
	if (agent->state == AGENT_DOWN)
		return 0;
	link_flush(&agent->link);
	return link_is_broken(&agent->link) ? 0 : outbox_unsent(&agent->outbox);
}

void relay_agent_start(struct relay_agent *agent)
{
	agent->state = AGENT_DOWN;
	agent->clock.on_due = on_clock;
	agent->stall.on_due = on_stall;
	agent->held.on_due = on_held;
	outbox_init(&agent->outbox, &agent->link, agent->spare);
	agent->pause_ms = PAUSE_MIN_MS;
	buf_init(&agent->ready, SEEK_FRAME_MAX, NULL);
	loop_arm(agent->loop, &agent->clock, 0);
}

void relay_agent_stop(struct relay_agent *agent)
{
	close_stream(agent);
	buf_release(&agent->ready);
	outbox_release(&agent->outbox);
	process_end_now(&agent->ending);
}
