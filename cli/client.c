/* A connection to an agent: see client.h. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "../shared/log.h"

#define HANDSHAKE_MS  10000
#define FRAMES_A_TURN 256
#define OUT_MAX	      (FRAME_WIRE_MAX + 1024 * 1024) /* a whole request, and input behind it */
#define LEGACY_STEP   268435455u		     /* ids a client had before two words did */
#define RUN_SOCKET    "/run/msb-execd.sock"

static void lose(struct client *client, int num, const char *what)
{
	struct err err;

	if (client->lost)
		return;
	client->lost = true;
	err_set(&err, num, NULL, "%s %s", what, client->name);
	client->on_lost(client, &err);
}

static void lose_ended(struct client *client)
{
	struct err err;

	if (client->link.error) {
		lose(client, client->link.error, "lost the connection to");
		return;
	}
	if (client->lost)
		return;
	client->lost = true;
	err_set(&err, 0, NULL,
		client->greeted ? "lost the connection to %s: the agent closed it"
				: "%s closed the connection at once; may this user connect "
				  "(msb-execd --allow-uid)?",
		client->name);
	client->on_lost(client, &err);
}

/* ---- the handshake ---- */

/* Two words and a ready frame; or, before 0.5, one word and the frame. */
static bool is_legacy(uint32_t first, uint32_t second)
{
	return second >= FRAME_LEN_MIN && second <= FRAME_LEN_MAX &&
	       (first == 0 || first >= second);
}

static int take_ready(struct client *client, const struct frame *frame, bool legacy)
{
	struct msg_envelope envelope;
	struct msg_ready ready;

	if (msg_open(frame, &envelope) < 0 || envelope.type != MSG_READY ||
	    msg_decode(MSG_READY, envelope.payload, &ready) < 0)
		return -EPROTO;
	client->generation = legacy ? 1 : envelope.v;
	if (client->generation > MSG_GENERATION)
		client->generation = MSG_GENERATION;
	client->features = ready.features;
	snprintf(client->version, sizeof(client->version), "%.*s",
		 ready.agent_version.ptr ? (int)ready.agent_version.len : 7,
		 ready.agent_version.ptr ? ready.agent_version.ptr : "unknown");
	log_clean(client->version, strlen(client->version));
	return 0;
}

/* 1 when done, 0 for more bytes, or -errno. */
static int shake_hands(struct client *client)
{
	struct buf *in = &client->link.in;
	struct buf rest = *in;
	uint32_t first, second;
	struct frame frame;
	size_t missing;
	bool legacy;
	int r;

	if (buf_len(in) < 8)
		return 0;
	first = frame_u32(buf_head(in));
	second = frame_u32(buf_head(in) + 4);
	legacy = is_legacy(first, second);
	if (!legacy && (first >= second || second == first + 1))
		return -EPROTO;
	/* A look at the frame behind the words, which are consumed together with it. */
	rest.head += legacy ? 4 : 8;
	r = frame_next(&rest, &frame, &missing);
	if (r <= 0)
		return r;
	r = take_ready(client, &frame, legacy);
	if (r < 0)
		return r;
	client->id = first ? first : 1;
	buf_consume(in, (size_t)(frame.body - buf_head(in)) + frame.body_len);
	return 1;
}

static void greet(struct client *client)
{
	int r = shake_hands(client);

	if (r < 0) {
		lose(client, r == -EPROTO ? EPROTO : -r, "no agent answers at");
	} else if (r > 0) {
		client->greeted = true;
		client->link.greeting = false;
		loop_disarm(client->loop, &client->deadline);
		client->on_greeted(client);
	}
}

static void on_deadline(struct loop_timer *timer)
{
	struct client *client =
		(struct client *)((char *)timer - offsetof(struct client, deadline));

	lose(client, ETIMEDOUT, client->greeted ? "no answer from" : "no greeting from");
}

/* ---- frames ---- */

static bool take_frames(struct client *client)
{
	struct frame frame;
	bool read_more = true;
	int r = 0;

	for (int i = 0; i < FRAMES_A_TURN && !client->lost; i++) {
		read_more = client->on_turn(client);
		if (!read_more)
			return false;
		r = link_next(&client->link, &frame);
		if (r == 0 && client->on_part && client->on_part(client))
			continue;
		if (r <= 0)
			break;
		client->on_frame(client, &frame);
		link_done(&client->link, &frame);
	}
	if (r < 0)
		lose(client, EPROTO, "the frames make no sense from");
	else if (r > 0)
		client_mark(client);
	return read_more;
}

static void on_turn(struct loop_task *task)
{
	struct client *client = (struct client *)((char *)task - offsetof(struct client, turn));
	bool read_more = true;
	struct frame frame;

	if (!client->greeted && !client->lost)
		greet(client);
	if (client->greeted && !client->lost)
		read_more = take_frames(client);
	link_flush(&client->link);
	if (client->lost)
		return;
	/* After the flush: what may be read depends on what could be written. */
	if (client->greeted)
		read_more = client->on_turn(client);
	/* What the agent said before it went counts, its exit status above all. */
	if (client->link.ended && read_more &&
	    (!client->greeted || link_next(&client->link, &frame) <= 0)) {
		lose_ended(client);
		return;
	}
	if (client->link.broken && client->link.ended) {
		lose_ended(client);
		return;
	}
	link_watch(&client->link, read_more, false);
}

static void on_ready(struct link *link, uint32_t ready)
{
	struct client *client = (struct client *)((char *)link - offsetof(struct client, link));

	if ((ready & LOOP_IN) && !link->ended)
		link_read(link);
	client_mark(client);
}

void client_mark(struct client *client)
{
	loop_mark(client->loop, &client->turn);
}

/* ---- connecting ---- */

static int connect_to(struct client *client, const char *text, struct endpoint_stream *ret,
		      struct err *err)
{
	struct endpoint endpoint;
	int r = endpoint_parse(text, ENDPOINT_CLIENT, &endpoint, err);

	if (r < 0)
		return r;
	endpoint_name(&endpoint, client->name, sizeof(client->name));
	return endpoint_connect(&endpoint, ret, err);
}

/* Without an address: the user's daemon, then the system's. */
static int connect_usual(struct client *client, struct endpoint_stream *ret, struct err *err,
			 const char **ret_hint)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char path[108] = "";
	int r;

	if (runtime && runtime[0] == '/' && strlen(runtime) < sizeof(path) - 20) {
		snprintf(path, sizeof(path), "%s/msb-execd.sock", runtime);
		if (connect_to(client, path, ret, err) == 0)
			return 0;
	}
	r = connect_to(client, RUN_SOCKET, ret, err);
	if (r == 0)
		return 0;
	*ret_hint = "start one with msb-execd, name its address with -S, or use --local";
	return err_set(err, -r, NULL, "no agent at %s%sunix:" RUN_SOCKET, path[0] ? "unix:" : "",
		       path[0] ? strcat(path, " nor at ") : "");
}

int client_connect(struct client *client, struct loop *loop, const char *text,
		   struct buf_spare *spare, struct err *err, const char **ret_hint)
{
	struct endpoint_stream stream = {.fd = -1};
	int r;

	client->loop = loop;
	client->turn.on_run = on_turn;
	client->deadline.on_due = on_deadline;
	r = text ? connect_to(client, text, &stream, err)
		 : connect_usual(client, &stream, err, ret_hint);
	if (r < 0)
		return r;
	client->process = stream.process;
	r = link_init(&client->link, loop, stream.fd, stream.fd, OUT_MAX, spare, on_ready);
	client->link.greeting = true;
	if (r == 0)
		r = loop_arm(loop, &client->deadline, HANDSHAKE_MS);
	return r < 0 ? err_set(err, -r, NULL, "cannot watch %s", client->name) : 0;
}

void client_release(struct client *client)
{
	loop_disarm(client->loop, &client->deadline);
	loop_unmark(client->loop, &client->turn);
	link_release(&client->link);
	/* Its stream has ended; it ends by itself, after it has ended what it runs. */
	if (client->process > 0)
		while (waitpid(client->process, NULL, 0) < 0 && errno == EINTR)
			;
}
