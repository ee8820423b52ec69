/*
 * The whole of msb-relayd between a client and an agent that both say anything at all, and are both
 * overheard: what reaches the agent must be whole frames, well said and within the client's ids,
 * whatever the client sent. The first byte says what agent it is and how large the pieces are that it
 * and the client send; two more how many of the bytes that follow are the client's.
 */
#include <signal.h>

#include "fuzz.h"

#include "daemon/relay/relay.h"
#include "shared/log.h"
#include "tests/unit/unit_budget.h"

#define LAST_ROUNDS 8	    /* of the loop in which nothing more is sent */
#define CLIENT_UID  1000000 /* whatever it says itself */

/* WRAP: dial_start */
void __wrap_dial_start(struct dial *dial, struct loop *loop, const struct endpoint *endpoint,
		       uint64_t timeout_ms,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err));

static struct {
	struct loop loop;
	struct fuzz_peer client, agent;
	const uint8_t *script; /* what the client sends once it is greeted */
	int agent_fd;	       /* the relay's end, until it dials */
	struct relay *relay;
	uint32_t features; /* those that it says at first */
	bool changed;	   /* it said others since: no more is known of what it may be sent */
	bool greeted;
	struct loop_timer clock;
	size_t left; /* of both scripts, a round ago */
	int rounds;
} f;

/* The stream is there at once, and once. */
void __wrap_dial_start(struct dial *dial, struct loop *loop, const struct endpoint *endpoint,
		       uint64_t timeout_ms,
		       void (*on_done)(struct dial *dial, int fd, pid_t process,
				       const struct err *err))
{
	struct err err;
	int fd = f.agent_fd;

	(void)loop;
	(void)endpoint;
	(void)timeout_ms;
	f.agent_fd = -1;
	err_set(&err, ECONNREFUSED, NULL, "no more");
	on_done(dial, fd, 0, &err);
}

/* ---- the agent's ears ---- */

static void look_for_change(void)
{
	f.changed |= f.relay->agent.state == AGENT_UP && f.relay->agent.features != f.features;
}

static void check_windows(bool stdin_window, uint64_t output_window)
{
	if (f.changed)
		return;
	if (f.features & MSG_FEATURE_STDIN_WINDOW)
		CLAIM(stdin_window);
	if (f.features & MSG_FEATURE_OUTPUT_WINDOW)
		CLAIM(output_window);
}

/* Never what the client says, also while it is not known what agent hears it. */
static void check_uid(bool has_uid, uint32_t uid)
{
	CLAIM(f.changed || has_uid == !!(f.features & MSG_FEATURE_SESSIONS));
	CLAIM(!has_uid || uid == CLIENT_UID);
}

static void check_asked(enum msg_type type, const union fuzz_any *any)
{
	switch (type) {
	case MSG_EXEC_REQUEST:
		check_windows(any->request.stdin_window, any->request.output_window);
		check_uid(any->request.has_for_uid, any->request.for_uid);
		break;
	case MSG_SESSION_LIST:
		check_uid(any->list.has_for_uid, any->list.for_uid);
		break;
	case MSG_SESSION_ATTACH:
	case MSG_SESSION_INPUT:
		check_windows(any->attach.stdin_window,
			      type == MSG_SESSION_INPUT || any->attach.output_window);
		check_uid(any->attach.has_for_uid, any->attach.for_uid);
		break;
	case MSG_SESSION_SIGNAL:
		check_uid(any->session_signal.has_for_uid, any->session_signal.for_uid);
		break;
	case MSG_SESSION_REMOVE:
		check_uid(any->remove.has_for_uid, any->remove.for_uid);
		break;
	default:
		break;
	}
}

static bool is_for_agents(enum msg_type type)
{
	switch (type) {
	case MSG_INIT_ACK:
	case MSG_BOOTSTRAP:
	case MSG_SHUTDOWN:
	case MSG_RELAY_CLIENT_DISCONNECTED:
	case MSG_PING:
	case MSG_TOUCH:
	case MSG_EXEC_REQUEST:
	case MSG_EXEC_STDIN:
	case MSG_EXEC_RESIZE:
	case MSG_EXEC_SIGNAL:
		return true;
	case MSG_EXEC_OUTPUT_CLOSE:
		return f.changed || f.features & MSG_FEATURE_OUTPUT_CLOSE;
	case MSG_EXEC_OUTPUT_CREDIT:
		return f.changed || f.features & MSG_FEATURE_OUTPUT_WINDOW;
	case MSG_SESSION_LIST:
	case MSG_SESSION_ATTACH:
	case MSG_SESSION_INPUT:
	case MSG_SESSION_DETACH:
	case MSG_SESSION_SIGNAL:
	case MSG_SESSION_REMOVE:
		return f.changed || f.features & MSG_FEATURE_SESSIONS;
	default:
		/* Of files and TCP: only to those that may know them. */
		return type >= MSG_FS_REQUEST && type <= MSG_TCP_CLOSE && type != MSG_FS_RESPONSE &&
		       !f.features;
	}
}

/* The client's, or nobody's: what the agent says it started is ended where no client knows of it. */
static bool is_well_addressed(const struct frame *frame, const struct msg_envelope *envelope,
			      const union fuzz_any *any)
{
	int slot = relay_slot_of(frame->id);

	return frame->id == 0 || frame->id == RELAY_STEP || slot == 0 ||
	       (slot > 0 && envelope->type == MSG_EXEC_SIGNAL && any->signal.signal == SIGKILL);
}

static void agent_heard(struct fuzz_peer *peer)
{
	struct msg_envelope envelope;
	union fuzz_any any;
	struct frame frame;
	size_t missing;
	int r;

	look_for_change();
	/* A mark may be behind any of them, once the agent has said that it knows marks. */
	while ((r = frame_next(&peer->heard, &frame, &missing)) != 0) {
		if (r == -EBADMSG && frame_u32(buf_head(&peer->heard)) == FRAME_MARK_LEN - 4) {
			if (buf_len(&peer->heard) < FRAME_MARK_LEN)
				return;
			buf_consume(&peer->heard, FRAME_MARK_LEN);
			continue;
		}
		CLAIM(r > 0);
		CLAIM(msg_open(&frame, &envelope) == 0 && envelope.v == MSG_GENERATION);
		CLAIM(is_for_agents(envelope.type));
		CLAIM(frame.flags == msg_flags(envelope.type));
		CLAIM(msg_decode(envelope.type, envelope.payload, &any) == 0);
		CLAIM(is_well_addressed(&frame, &envelope, &any));
		check_asked(envelope.type, &any);
		buf_consume(&peer->heard, frame.wire_len);
	}
}

/* ---- the client's ---- */

/* What comes from the agent comes as it said it, so that only the frames are certain. */
static void client_heard(struct fuzz_peer *peer)
{
	struct frame frame;
	size_t missing;
	int r;

	if (!f.greeted && buf_len(&peer->heard) >= 8) {
		CLAIM(frame_u32(buf_head(&peer->heard)) == relay_slot_min(0));
		CLAIM(frame_u32(buf_head(&peer->heard) + 4) == relay_slot_end(0));
		buf_consume(&peer->heard, 8);
		f.greeted = true;
		peer->unsent = f.script;
		loop_want(peer->loop, &peer->source, LOOP_IN | LOOP_OUT);
	}
	while (f.greeted && (r = frame_next(&peer->heard, &frame, &missing)) != 0) {
		CLAIM(r > 0);
		CLAIM(frame.id == 0 || relay_slot_of(frame.id) == 0);
		buf_consume(&peer->heard, frame.wire_len);
	}
}

/* ---- the relay ---- */

/* All was said, or who is to hear it reads no more: the relay's own clocks are not waited for. */
static void on_clock(struct loop_timer *timer)
{
	size_t left = f.client.left + f.agent.left;

	look_for_change();
	f.rounds = left == f.left ? f.rounds + 1 : 0;
	f.left = left;
	if (f.rounds > LAST_ROUNDS)
		loop_stop(&f.loop);
	else
		loop_arm(&f.loop, timer, 0);
}

/* The agent's first words, and what the input has it say then. Freed by the caller. */
static uint8_t *agent_script(uint8_t how, const uint8_t *data, size_t len, size_t *ret_len)
{
	static const uint8_t generations[] = {7, 4, 9, 1};
	struct msg_ready ready = {1, 2, 3, {"x", 1}, f.features, 0};
	struct frame frame;
	size_t missing;
	uint8_t *script;
	struct buf buf;

	buf_init(&buf, FRAME_WIRE_MAX, NULL);
	CLAIM(msg_put(&buf, 0, MSG_READY, &ready) == 0);
	CLAIM(frame_next(&buf, &frame, &missing) > 0);
	/* A map of three, "v", and then it. */
	CLAIM(frame.body[3] == MSG_GENERATION);
	frame.body[3] = generations[how & 3];
	CLAIM(buf_append(&buf, data, len) == 0);
	*ret_len = buf_len(&buf);
	script = fuzz_copy(buf_head(&buf), *ret_len);
	buf_release(&buf);
	return script;
}

static void run(struct relay *relay, uint8_t how, uint8_t *script, size_t script_len,
		size_t client_len)
{
	static const struct endpoint endpoint = {
		.kind = ENDPOINT_UNIX, .path = "/x", .path_len = 2};
	struct peer peer = unit_peer;
	int client_fd;

	fuzz_peer_open(&f.agent, &f.loop, script, script_len,
		       how & 16 ? 5 + (size_t)how / 64 * 64 : script_len, &f.agent_fd);
	f.agent.stays = true;
	f.agent.on_heard = agent_heard;
	fuzz_peer_open(&f.client, &f.loop, NULL, client_len,
		       how & 32 ? 5 + (size_t)how / 64 * 64 : client_len, &client_fd);
	f.client.on_heard = client_heard;
	loop_want(&f.loop, &f.client.source, LOOP_IN);
	f.relay = relay;
	relay->loop = &f.loop;
	relay->clients.budget = &unit_budget;
	relay->agent.endpoint = &endpoint;
	relay_start(relay);
	peer.trusted = how & 8;
	peer.kind = PEER_USER;
	peer.number = CLIENT_UID;
	relay_open(relay, client_fd, &peer);
	f.clock.on_due = on_clock;
	loop_arm(&f.loop, &f.clock, 0);
	CLAIM(loop_run(&f.loop) == 0);
	relay_stop(relay);
	fuzz_peer_close(&f.client);
	fuzz_peer_close(&f.agent);
	if (f.agent_fd >= 0)
		close(f.agent_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct relay relay;
	size_t client_len, script_len;
	uint8_t *script;

	if (len < 4)
		return 0;
	log_init("fuzz", LOG_LEVEL_NONE);
	/* As the program's main does: a peer that is gone is an errno. */
	signal(SIGPIPE, SIG_IGN);
	memset(&relay, 0, sizeof(relay));
	memset(&f, 0, sizeof(f));
	CLAIM(loop_init(&f.loop) == 0);
	/* Of which one that is old keeps no sessions. */
	f.features = !(data[0] & 4) ? 0
		     : data[0] & 1  ? (MSG_FEATURE_PIXELS << 1) - 1
				    : (MSG_FEATURE_SESSIONS << 1) - 1;
	client_len = ((size_t)data[1] << 8 | data[2]) % (len - 2);
	f.script = fuzz_copy(data + 3, client_len);
	script = agent_script(data[0], data + 3 + client_len, len - 3 - client_len, &script_len);
	run(&relay, data[0], script, script_len, client_len);
	loop_release(&f.loop);
	free((void *)f.script);
	free(script);
	return 0;
}
