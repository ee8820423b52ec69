/* A connection to an agent, once there is one: see client.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "../shared/utf8.h"
#include "client_inside.h"
#include "hint.h"

#define FRAMES_A_TURN 256

void client_lose(struct client *client, const struct err *err)
{
	if (client->lost)
		return;
	client->lost = true;
	if (!client_tries_again(client, err))
		client_tell_lost(client, err);
}

static void lose(struct client *client, int num, const char *what)
{
	struct err err;

	err_set(&err, num, NULL, "%s %s", what, client->name);
	client_lose(client, &err);
}

/* ---- the handshake ---- */

/* Of ASCII, whatever the locale. */
static bool is_printable(unsigned char c)
{
	return c > ' ' && c < 0x7f;
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* No range of ids begins like this, but words for people do. */
static bool is_text(const struct buf *in)
{
	for (size_t i = 0; i < 3 && i < buf_len(in); i++)
		if (!is_printable(buf_head(in)[i]) && !is_blank(buf_head(in)[i]))
			return false;
	return buf_len(in) > 0;
}

/* Two words and a ready frame; or, before 0.5, one word and the frame. */
static bool is_legacy(uint32_t first, uint32_t second)
{
	return second >= FRAME_LEN_MIN && second <= FRAME_LEN_MAX &&
	       (first == 0 || first >= second);
}

/* An agent that has no room for us says so instead of being ready. */
static int hear_refusal(struct client *client, struct msg_bytes payload)
{
	struct msg_error error;
	struct err err;

	if (msg_decode(MSG_ERROR, payload, &error) < 0)
		return -EPROTO;
	err_set(&err, 0, NULL, "%s refuses the connection%s%.*s", client->name,
		error.message.len ? ": " : "", (int)error.message.len, error.message.ptr);
	client_lose(client, &err);
	return 0;
}

static int take_ready(struct client *client, const struct frame *frame, bool legacy)
{
	struct msg_envelope envelope;
	struct msg_ready ready;

	if (msg_open(frame, &envelope) < 0)
		return -EPROTO;
	if (envelope.type == MSG_ERROR)
		return hear_refusal(client, envelope.payload);
	if (envelope.type != MSG_READY || msg_decode(MSG_READY, envelope.payload, &ready) < 0)
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
	legacy = !is_text(in) && is_legacy(first, second);
	if (!legacy && (first >= second || second == first + 1))
		return -EPROTO;
	/* A look at the frame behind the words, which are consumed together with it. */
	rest.head += legacy ? 4 : 8;
	r = frame_next(&rest, &frame, &missing);
	if (r <= 0)
		return r;
	r = take_ready(client, &frame, legacy);
	if (r < 0 || client->lost)
		return r;
	client->id = client->ping_id = first ? first : 1;
	client->ids_end = legacy ? 0 : second;
	buf_consume(in, (size_t)(frame.body - buf_head(in)) + frame.body_len);
	return 1;
}

/* Something else than an agent is there, and what it said tells what. */
static void lose_to_other(struct client *client, int num)
{
	char quote[CLIENT_QUOTE_LEN];
	struct err err;

	if (client_quote(client, quote, sizeof(quote)))
		err_set(&err, 0, NULL, "no agent answers at %s: it said \"%s\"", client->name,
			quote);
	else
		err_set(&err, num, NULL, "no agent answers at %s", client->name);
	hint_greeting(&client->dial.endpoint, -1, &err);
	/* And it will not become one. */
	client->wait_ms = 0;
	client_lose(client, &err);
}

bool client_quote(const struct client *client, char *out, size_t len)
{
	const struct buf *in = &client->link.in;
	const char *text, *end;
	size_t n = 0, characters = 0;

	if (!client->linked || client->greeted || !buf_len(in))
		return false;
	text = (const char *)buf_head(in);
	end = text + buf_len(in);
	while (text < end && is_blank((unsigned char)*text))
		text++;
	if (text == end || !is_printable((unsigned char)*text))
		return false;
	/* A line of it, and no character's half. */
	while (text + n < end && n + 1 < len && text[n] && text[n] != '\n' && text[n] != '\r') {
		if (((unsigned char)text[n] & 0xc0) != 0x80 && ++characters > CLIENT_QUOTE_MAX)
			break;
		n++;
	}
	memcpy(out, text, n);
	out[n] = '\0';
	utf8_scrub(out, n);
	log_clean(out, n);
	return true;
}

static void greet(struct client *client)
{
	int r = shake_hands(client);

	if (r < 0) {
		lose_to_other(client, r == -EMSGSIZE || r == -EBADMSG ? EPROTO : -r);
	} else if (r > 0) {
		client->greeted = true;
		client->link.greeting = false;
		loop_disarm(client->loop, &client->deadline);
		client_watch_life(client);
		client->on_greeted(client);
	}
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
		client_look_at(client, &frame);
		client->on_frame(client, &frame);
		link_done(&client->link, &frame);
	}
	if (r < 0)
		lose(client, EPROTO, "the frames make no sense from");
	return read_more;
}

/* Of an agent that has gone there may be more to read, and then an end; of other failures nothing. */
static bool is_farewell(int error)
{
	return error == EPIPE || error == ECONNRESET;
}

void client_on_turn(struct loop_task *task)
{
	struct client *client = container_of(task, struct client, turn);
	bool read_more = true;
	struct frame frame;

	if (!client->linked || client->ending.fd >= 0)
		return;
	if (!client->greeted && !client->lost)
		greet(client);
	if (client->greeted && !client->lost)
		read_more = take_frames(client);
	link_flush(&client->link);
	if (client->lost) {
		/* Its end, or what nobody takes, would be there to be read for ever. */
		link_watch(&client->link, false, false);
		return;
	}
	/* After the flush: what may be read depends on what could be written. */
	if (client->greeted)
		read_more = client->on_turn(client);
	/* What the agent said before it went counts, its exit status above all. */
	if (client->link.ended && read_more &&
	    (!client->greeted || link_next(&client->link, &frame) <= 0)) {
		client_lose_ended(client);
		return;
	}
	if (client->link.broken && (client->link.ended || !is_farewell(client->link.error))) {
		client_lose_ended(client);
		return;
	}
	if (link_watch(&client->link, read_more, false))
		client_mark(client);
	/* The silence that counts begins where the link has been read dry. */
	if (!read_more || !client->listens)
		client_deaf(client);
	client->listens = read_more;
}

void client_on_ready(struct link *link, uint32_t ready)
{
	struct client *client = container_of(link, struct client, link);

	if ((ready & LOOP_IN) && !link->ended) {
		link_read(link);
		client_heard(client);
	}
	client_mark(client);
}

void client_mark(struct client *client)
{
	loop_mark(client->loop, &client->turn);
}
