/* One client of the relay: see client.h. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base.h"
#include "shared/duration.h"

/* Over so much that it does not take, a client is given up: it asked for windows it cannot use. */
#define OUT_HARD  (64 * 1024 * 1024)
#define OUT_SHORT (2 * 1024 * 1024) /* at least, while all clients together hold too much */
#define OUT_MAX	  (OUT_HARD + 2 * FRAME_WIRE_MAX)
#define BEHIND	  (4 * 1024 * 1024) /* queued bytes at which an agent without credit waits */
/* Answers that nobody reads must not pile up: beyond this, no more is asked of it. */
#define CHOKED		(1024 * 1024)
#define CHOKED_FOR_EACH (512 * 1024) /* session, whose output may rightly be there */
#define SESSIONS_MAX	64
#define ANSWERS_MS	2000 /* for the agent's answers to what a client asked before it ended */

static const char takes_too_little[] = "it takes too little of what it asked for";

/* ---- the record ---- */

#define RECORDED_A_SECOND 100
#define RECORDED_MS	  1000

static void say_missing(struct relay_clients *host)
{
	if (host->recorded.left_out)
		log_info("%u clients are missing in this record: more than %d came within a second",
			 host->recorded.left_out, RECORDED_A_SECOND);
	host->recorded.left_out = 0;
}

static void on_missing(struct loop_timer *timer)
{
	say_missing(container_of(timer, struct relay_clients, missing));
}

/* As of sessions in the daemon, so many a second have their lines, and the others are counted. */
static bool may_record(struct relay_clients *host)
{
	struct log_rate *rate = &host->recorded;
	uint64_t now = loop_now_ms();

	if (!log_shows(LOG_LEVEL_INFO))
		return false;
	if (now - rate->since_ms >= RECORDED_MS) {
		say_missing(host);
		*rate = (struct log_rate){.since_ms = now};
	}
	if (rate->said < RECORDED_A_SECOND) {
		rate->said++;
		return true;
	}
	rate->left_out++;
	/* Nobody may come after them. */
	host->missing.on_due = on_missing;
	if (!host->missing.armed)
		loop_arm(host->loop, &host->missing, RECORDED_MS);
	return false;
}

static void record_come(struct relay_client *client, const struct peer *peer)
{
	client->recorded = may_record(client->host);
	if (!client->recorded)
		return;
	if (peer->kind == PEER_USER)
		log_info("%s: connected: uid=%u pid=%d", client->name, peer->number, peer->pid);
	else
		log_info("%s: connected: cid=%u port=%u", client->name, peer->cid, peer->port);
}

static void record_leave(const struct relay_client *client, const char *why)
{
	if (client->recorded)
		log_info("%s: closed: %s", client->name, why);
}

/* ---- its end ---- */

static void free_client(struct loop_grave *grave)
{
	free(container_of(grave, struct relay_client, grave));
}

static void close_client(struct relay_client *client, const char *why)
{
	struct relay_clients *host = client->host;

	log_rate_end(&client->said, client->name);
	record_leave(client, why);
	loop_disarm(host->loop, &client->answer_limit);
	loop_disarm(host->loop, &client->behind);
	loop_disarm(host->loop, &client->rest);
	frame_clock_stop(&client->clock);
	if (client->use)
		client->use->connections--;
	link_release(&client->link);
	list_remove(&host->list, &client->in_host);
	host->count--;
	loop_bury(host->loop, &client->grave, free_client);
	host->calls->on_closed(client);
}

void relay_client_drop(struct relay_client *client, const char *why)
{
	client->closing = why;
	link_mark(&client->link);
}

static bool is_owed(const struct relay_client *client)
{
	return client->host->calls->is_owed(client);
}

/* The client has said its last. What it asked before is still answered, as the agent would. */
static void finish(struct relay_client *client, const char *why)
{
	if (client->ended)
		return;
	if (!is_owed(client)) {
		close_client(client, why);
		return;
	}
	client->ended = why;
	loop_arm(client->host->loop, &client->answer_limit, ANSWERS_MS);
}

static void on_answer_limit(struct loop_timer *timer)
{
	struct relay_client *client = container_of(timer, struct relay_client, answer_limit);

	relay_client_drop(client, client->ended);
}

static void on_frame_late(struct loop_timer *timer)
{
	struct relay_client *client = container_of(timer, struct relay_client, clock.timer);

	relay_client_drop(client, frame_clock_late(&client->clock, &client->link));
}

/* ---- the turn: after each batch, everything is derived anew from the queues ---- */

bool relay_client_is_choked(const struct relay_client *client, size_t sessions)
{
	sessions = sessions < SESSIONS_MAX ? sessions : SESSIONS_MAX;
	return link_unsent(&client->link) >= CHOKED + sessions * CHOKED_FOR_EACH;
}

bool relay_client_is_behind(const struct relay_client *client)
{
	return link_unsent(&client->link) >= BEHIND;
}

static uint64_t rest_us(const struct relay_client *client)
{
	return client->use ? share_rest(&client->use->share, loop_now_us()) : 0;
}

static enum link_wish wish(struct link *link)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	client->rests = rest_us(client) > 0;
	if (client->closing || client->ended)
		return LINK_CHOKED;
	return client->rests ? LINK_WAIT : client->host->calls->wish(client);
}

static void on_rested(struct loop_timer *timer)
{
	link_mark(&container_of(timer, struct relay_client, rest)->link);
}

/* Of one user's clients those are heard first that were not in this turn. */
static void rest(struct relay_client *client)
{
	/* It may be over since it was asked for. */
	if (client->rests && !client->rest.armed)
		loop_arm(client->host->loop, &client->rest,
			 rest_us(client) / 1000 + 1 + client->heard);
	client->heard = false;
}

static int on_frame(struct link *link, const struct frame *frame)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	uint64_t begun_us = loop_now_us();
	struct peer_use *use = client->use;
	int r;

	client->heard = true;
	r = client->host->calls->on_frame(client, frame);
	if (use)
		share_spend(&use->share, begun_us, loop_now_us());
	return r;
}

/* While they hold too much together, each has its share of what is too much. */
static size_t out_limit(const struct relay_clients *host)
{
	size_t share = host->spare.limit / 2 / (host->count + 1);

	if (!buf_spare_is_short(&host->spare) || share > OUT_HARD)
		return OUT_HARD;
	return share > OUT_SHORT ? share : OUT_SHORT;
}

static void on_behind(struct loop_timer *timer)
{
	struct relay_client *client = container_of(timer, struct relay_client, behind);

	/* It would read an answer only behind all the rest. */
	if (client->host->calls->is_in_the_way(client))
		relay_client_drop(client, "it takes nothing for longer than --frame-timeout, and "
					  "others wait for it");
	else
		loop_arm(client->host->loop, timer, client->host->budget->frame_ms);
}

/* So much time it has for taking anything at all, as for ending what it says. */
static void run_behind(struct relay_client *client)
{
	uint64_t ms = client->host->budget->frame_ms, sent = link_sent(&client->link);

	if (!relay_client_is_behind(client) || ms == DURATION_INFINITE) {
		loop_disarm(client->host->loop, &client->behind);
	} else if (!client->behind.armed || client->behind_sent != sent) {
		client->behind_sent = sent;
		loop_arm(client->host->loop, &client->behind, ms);
	}
}

static void on_flushed(struct link *link, bool emptied)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	(void)emptied;
	if (link_unsent(link) >= out_limit(client->host))
		client->closing = takes_too_little;
	run_behind(client);
	client->host->calls->on_flushed(client, link_sent(link));
	if (client->ended && !is_owed(client))
		client->closing = client->ended;
	if (client->closing)
		close_client(client, client->closing);
}

static void on_watched(struct link *link, bool reads)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	rest(client);
	if (client->greeted)
		frame_clock_run(&client->clock, link, reads);
}

/* Of a client that left there is nothing to say. */
static void tell_failure(const struct relay_client *client, const char *what, int error)
{
	if (error && error != EPIPE && error != ECONNRESET)
		log_warn("%s: %s: %s", client->name, what, strerror(error));
}

static void on_end(struct link *link, enum link_end how, int error)
{
	struct relay_client *client = container_of(link, struct relay_client, link);

	if (how != LINK_SENSELESS || error == ENOMEM)
		tell_failure(client, how == LINK_ENDED ? "cannot read" : "cannot send", error);

	if (how == LINK_BROKEN)
		close_client(client, "it takes no more");
	else if (how == LINK_ENDED)
		finish(client, "the client is gone");
	else if (error == EMSGSIZE || error == EBADMSG)
		finish(client, "framing lost");
	else
		close_client(client, strerror(error));
}

static const struct link_calls link_calls = {
	.wish = wish,
	.on_frame = on_frame,
	.on_flushed = on_flushed,
	.on_watched = on_watched,
	.on_end = on_end,
};

/* ---- opening, and what it is told ---- */

struct relay_client *relay_client_open(struct relay_clients *host, int fd, const struct peer *peer,
				       int slot)
{
	struct relay_client *client = malloc(sizeof(*client));

	if (!client)
		return NULL;
	*client = (struct relay_client){
		.host = host,
		.slot = slot,
		.trusted = peer->trusted,
		.has_uid = peer->kind == PEER_USER,
		.uid = peer->number,
		.use = peer->use,
		.answer_limit.on_due = on_answer_limit,
		.rest.on_due = on_rested,
		.behind.on_due = on_behind,
	};
	snprintf(client->name, sizeof(client->name), "%s", peer->name);
	link_init(&client->link, host->loop, fd, fd, OUT_MAX, peer_memory(peer, &host->spare),
		  &link_calls, LINK_HEARS_HANGUP);
	if (client->use)
		client->use->connections++;
	record_come(client, peer);
	list_append(&host->list, &client->in_host);
	host->count++;
	link_mark(&client->link);
	return client;
}

/* It does not get this, and is not to take what comes behind it for the next. */
static void leave_hole(struct relay_client *client, int error)
{
	client->closing = error == -ENOMEM ? "no memory" : takes_too_little;
	link_give_up(&client->link, -error);
}

void relay_client_greet(struct relay_client *client, uint32_t id_min, uint32_t id_end,
			const struct buf *ready)
{
	struct buf *out = link_out(&client->link);
	uint8_t range[8];

	if (client->greeted)
		return;
	client->greeted = true;
	frame_clock_start(&client->clock, client->host->loop, client->host->budget, on_frame_late);
	frame_put_u32(range, id_min);
	frame_put_u32(range + 4, id_end);
	if (buf_append(out, range, sizeof(range)) < 0 ||
	    buf_append(out, buf_head(ready), buf_len(ready)) < 0)
		leave_hole(client, -ENOMEM);
	link_mark(&client->link);
}

uint64_t relay_client_pass(struct relay_client *client, const struct frame *frame)
{
	int r = link_put(&client->link, frame->body - FRAME_HEADER_LEN, frame->wire_len);

	if (r < 0)
		leave_hole(client, r);
	link_mark(&client->link);
	return link_queued(&client->link);
}

/* ---- all of them ---- */

void relay_clients_wake(struct relay_clients *host)
{
	struct relay_client *client;
	struct list_node *first = host->list.first;

	list_each(client, &host->list, in_host)
		link_mark(&client->link);
	if (!first)
		return;
	list_remove(&host->list, first);
	list_append(&host->list, first);
}

bool relay_clients_make_room(struct relay_clients *host, const struct peer_use *of)
{
	struct relay_client *client, *found = NULL;
	uint64_t longest = BUDGET_SILENCE_US - 1, silence;
	const char *why;

	list_each(client, &host->list, in_host) {
		silence = of && client->use != of
				  ? 0
				  : frame_clock_silence(&client->clock, &client->link);
		if (silence <= longest)
			continue;
		longest = silence;
		found = client;
	}
	if (!found)
		return false;
	why = budget_make_way(&found->link);
	link_flush(&found->link);
	close_client(found, why);
	return true;
}

size_t relay_clients_flush(struct relay_clients *host)
{
	struct relay_client *client;
	size_t left = 0;

	list_each(client, &host->list, in_host) {
		link_flush(&client->link);
		left += link_is_broken(&client->link) ? 0 : link_unsent(&client->link);
	}
	return left;
}

void relay_clients_close(struct relay_clients *host, const char *why)
{
	struct relay_client *client;

	while ((client = list_first(&host->list, struct relay_client, in_host)))
		close_client(client, why);
	say_missing(host);
	loop_disarm(host->loop, &host->missing);
}
