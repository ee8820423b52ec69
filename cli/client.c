/* A connection to an agent, once there is one: see client.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "../shared/base.h"
#include "../shared/log.h"
#include "../shared/utf8.h"
#include "client_inside.h"
#include "hint.h"

void client_lose(struct client *client, const struct err *err)
{
	if (client->lost)
		return;
	client->lost = true;
	client_mark(client);
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
	struct buf *in = link_in(&client->link);
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

bool client_quote(struct client *client, char *out, size_t len)
{
	const struct buf *in = link_in(&client->link);
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

static int on_bytes(struct link *link, struct buf *in)
{
	struct client *client = container_of(link, struct client, link);
	int r = shake_hands(client);

	(void)in;
	if (r < 0) {
		lose_to_other(client, r == -EMSGSIZE || r == -EBADMSG ? EPROTO : -r);
		return 0;
	}
	if (r > 0) {
		client->greeted = true;
		link_take_raw(link, false);
		loop_disarm(client->loop, &client->deadline);
		client_watch_life(client);
		client->on_greeted(client);
	}
	return r;
}

/* ---- sessions ---- */

void client_add(struct client *client, struct client_session *session, uint32_t id,
		const struct client_session_calls *calls)
{
	*session = (struct client_session){client, client->sessions, id, calls};
	client->sessions = session;
}

void client_remove(struct client_session *session)
{
	struct client_session **at = session->client ? &session->client->sessions : NULL;

	while (at && *at && *at != session)
		at = &(*at)->next;
	if (!at || !*at)
		return;
	*at = session->next;
	if (session->client->body_of == session)
		session->client->body_of = NULL;
	session->client = NULL;
}

void client_drop(struct client *client)
{
	struct client_session *session;

	while ((session = client->sessions)) {
		client_remove(session);
		if (session->calls->on_dropped)
			session->calls->on_dropped(session);
	}
}

void client_abandon(struct client *client)
{
	client_drop(client);
	client->lost = true;
}

/* ---- frames ---- */

static enum link_wish wish(struct link *link)
{
	struct client *client = container_of(link, struct client, link);

	if (client->lost)
		return LINK_WAIT;
	if (!client->greeted)
		return LINK_TAKE;
	for (struct client_session *session = client->sessions, *next; session; session = next) {
		next = session->next;
		if (session->client && session->calls->on_turn)
			session->calls->on_turn(session);
	}
	return client->on_turn(client) ? LINK_TAKE : LINK_WAIT;
}

static int on_frame(struct link *link, const struct frame *frame)
{
	struct client *client = container_of(link, struct client, link);
	struct client_session *session = client->sessions;
	struct msg_envelope envelope;

	client_look_at(client, frame);
	while (session && session->id != frame->id)
		session = session->next;
	if (session && msg_open(frame, &envelope) == 0)
		session->calls->on_frame(session, &envelope);
	return 0;
}

static bool on_part(struct link *link, const struct buf *in, size_t *ret_head, size_t *ret_body)
{
	struct client *client = container_of(link, struct client, link);
	struct client_session *session = client->sessions;

	while (session && !(session->calls->on_part &&
			    session->calls->on_part(session, in, ret_head, ret_body)))
		session = session->next;
	client->body_of = session;
	return session;
}

static ssize_t on_body(struct link *link, int fd, size_t len)
{
	struct client *client = container_of(link, struct client, link);
	char waste[4096];
	ssize_t n;

	if (client->body_of)
		return client->body_of->calls->on_body(client->body_of, fd, len);
	n = recv(fd, waste, len < sizeof(waste) ? len : sizeof(waste), MSG_DONTWAIT);
	return n < 0 ? -errno : n;
}

static void on_read(struct link *link)
{
	client_heard(container_of(link, struct client, link));
}

static void on_flushed(struct link *link, bool emptied)
{
	(void)emptied;
	/* Its end, or what nobody takes, would be there to be read for ever. */
	if (container_of(link, struct client, link)->lost)
		link_stop(link);
}

/* The silence that counts begins where the link has been read dry. */
static void on_watched(struct link *link, bool reads)
{
	struct client *client = container_of(link, struct client, link);

	if (!reads || !client->listens)
		client_deaf(client);
	client->listens = reads;
}

/* What the agent said before it went counts, its exit status above all: all that was taken by now. */
static void on_end(struct link *link, enum link_end how, int error)
{
	struct client *client = container_of(link, struct client, link);

	if (how == LINK_SENSELESS)
		lose(client, EPROTO, "the frames make no sense from");
	else
		client_lose_ended(client, error);
}

const struct link_calls client_calls = {
	.wish = wish,
	.on_frame = on_frame,
	.on_bytes = on_bytes,
	.on_part = on_part,
	.on_body = on_body,
	.on_read = on_read,
	.on_flushed = on_flushed,
	.on_watched = on_watched,
	.on_end = on_end,
};

void client_mark(struct client *client)
{
	if (client->linked)
		link_mark(&client->link);
}
