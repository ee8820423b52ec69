/* What is live in a range of ids, between a client and the agent: see range.h. */
#include "range.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "shared/base.h"
#include "shared/log.h"
#include "shared/wire/incoming.h"

#define LEAVE_LIMIT_MS 30000
#define PEEK_MAX       4096 /* bytes of a frame that is looked into before it is passed on */

static const char no_guest[] = "the guest is not connected";

static struct buf *to_agent(const struct relay_range *range)
{
	return relay_agent_out(range->agent);
}

static struct buf *to_client(const struct relay_range *range)
{
	return relay_client_out(range->client);
}

static void tell_agent(const struct relay_range *range, int result)
{
	relay_agent_told(range->agent, result);
}

static bool agent_has(const struct relay_range *range, enum msg_feature feature)
{
	return relay_agent_has(range->agent, feature);
}

static bool agent_keeps_sessions(const struct relay_range *range)
{
	return agent_has(range, MSG_FEATURE_SESSIONS);
}

/* ---- the end of what is live ---- */

/* The client's word that it leaves, if that is due. */
static void send_detach(struct relay_range *range, struct route *route)
{
	size_t len = buf_len(&route->detach);

	if (!len)
		return;
	tell_agent(range, buf_append(to_agent(range), buf_head(&route->detach), len));
	buf_consume(&route->detach, len);
}

static bool is_taken(const struct relay_range *range)
{
	return range->slots->taken[range->slot];
}

static void set_free(struct relay_range *range)
{
	loop_disarm(range->agent->loop, &range->limit);
	route_clear(&range->routes);
	range->pong_id = 0;
	relay_slots_free(range->slots, range->slot);
}

/*
 * Ends an id for the client: core.error, or, if it cannot read that, the connection. So with a
 * session that is kept: it is not over, only the way to it is, and another one may be found.
 */
static void end_id(struct relay_range *range, const struct route *route, const char *why)
{
	relay_client_mark(range->client);
	if (route->abandoned)
		return;
	if (route->v < MSG_GENERATION_ERR || (route->kept && route_takes_input(route)))
		relay_client_drop(range->client, why);
	else if (msg_put_error(to_client(range), route->id, MSG_REFUSAL_INVALID_SESSION, why,
			       (struct msg_text){0}) < 0)
		relay_client_drop(range->client, "it takes nothing");
}

void range_lose_guest(struct relay_range *range, const char *why)
{
	struct route *route, *next;

	list_each_safe(route, next, &range->routes.list, in_table) {
		if (relay_agent_keeps(range->agent, route->probe))
			continue;
		if (range->client)
			end_id(range, route, why);
		route_remove(&range->routes, route);
	}
	if (!range->client && is_taken(range) && !range->routes.count)
		set_free(range);
}

/* The agent has closed them on its client's leave, and need not say so of each. */
static void forget_streams(struct relay_range *range)
{
	struct route *route, *next;

	list_each_safe(route, next, &range->routes.list, in_table)
		if (route->kind == ROUTE_STREAM)
			route_remove(&range->routes, route);
}

static void on_limit(struct loop_timer *timer)
{
	struct relay_range *range = container_of(timer, struct relay_range, limit);

	/* An agent that knows no ping. */
	if (!range->pong_id)
		forget_streams(range);
	if (!range->routes.count) {
		set_free(range);
		return;
	}
	/* Whoever got them now would hear of what was started for somebody else. */
	log_caused(LOG_LEVEL_WARN,
		   "the range of a client that is gone is not given again yet: %zu of its ids have "
		   "not ended",
		   range->routes.count);
}

/* Of a range whose client is gone, only the ends matter, and the pong behind them. */
static void watch_end(struct relay_range *range, const struct frame *frame)
{
	struct route *route = route_find(&range->routes, frame->id);
	bool pong = frame->id == range->pong_id;

	if (!(frame->flags & FRAME_TERMINAL) || (!route && !pong))
		return;
	if (route)
		route_remove(&range->routes, route);
	if (pong)
		forget_streams(range);
	/* An agent that ends the sessions of a range says no more about them behind the pong. */
	if (!range->routes.count || (pong && agent_has(range, MSG_FEATURE_ON_DISCONNECT)))
		set_free(range);
}

/* An id that the client has not used, for a ping of ours. */
static uint32_t unused_id(const struct relay_range *range)
{
	uint32_t id = relay_slot_end(range->slot) - 1;

	while (route_find(&range->routes, id))
		id--;
	return id;
}

void range_leave(struct relay_range *range)
{
	struct msg_id_range ids = {relay_slot_min(range->slot), relay_slot_end(range->slot)};
	struct relay_agent *agent = range->agent;
	struct route *route;
	struct buf *out;

	range->client = NULL;
	/* The next guest gets what was asked of it, and then hears that nobody waits for it. */
	if (!relay_agent_is_up(agent) && !agent->keeps) {
		set_free(range);
		return;
	}
	out = to_agent(range);
	/* Who has said so and did not wait for the answer leaves a session that goes on. */
	list_each(route, &range->routes.list, in_table)
		send_detach(range, route);
	/* The reference closes files on that message, but leaves commands alone. */
	if (!agent_has(range, MSG_FEATURE_ON_DISCONNECT))
		list_each(route, &range->routes.list, in_table)
			if (route->kind == ROUTE_EXEC && !route->kept && !route->abandoned)
				tell_agent(range, msg_put_exec_signal(out, route->id, SIGKILL));
	tell_agent(range, msg_put(out, 0, MSG_RELAY_CLIENT_DISCONNECTED, &ids));
	if (!range->routes.count) {
		set_free(range);
		return;
	}
	if (agent->generation >= MSG_GENERATION_PING) {
		range->pong_id = unused_id(range);
		tell_agent(range, msg_put_empty(out, range->pong_id, MSG_PING));
	}
	loop_arm(agent->loop, &range->limit, LEAVE_LIMIT_MS);
}

void range_end(struct relay_range *range, const char *why)
{
	struct route *route;

	list_each(route, &range->routes.list, in_table)
		end_id(range, route, why);
	range_leave(range);
}

/* ---- what is refused ---- */

static void kill_command(struct relay_range *range, const struct route *route)
{
	tell_agent(range, msg_put_exec_signal(to_agent(range), route->id, SIGKILL));
	/* A descendant that holds the output would keep the id from ending. */
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
		if (agent_has(range, MSG_FEATURE_OUTPUT_CLOSE))
			tell_agent(range, msg_put_output_close(to_agent(range), route->id,
							       (enum msg_stream)i));
}

/* The client has had its last frame: the agent is to end it, and its own last frame is awaited. */
static void abandon(struct relay_range *range, struct route *route)
{
	route->abandoned = true;
	route_went(&range->routes, route, buf_len(&route->held));
	buf_consume(&route->detach, buf_len(&route->detach));
	route->end_due = false;
	if (!route->kept)
		kill_command(range, route);
	else if (route_takes_input(route))
		tell_agent(range, msg_put_empty(to_agent(range), route->id, MSG_SESSION_DETACH));
}

/* What has that id, if the client may still say something about it. */
static struct route *find_session(const struct relay_range *range, uint32_t id)
{
	struct route *route = route_find(&range->routes, id);

	return route && route_is_session(route) && !route->abandoned ? route : NULL;
}

static struct route *find_input(const struct relay_range *range, uint32_t id)
{
	struct route *route = find_session(range, id);

	return route && route_takes_input(route) ? route : NULL;
}

static struct route *find_command(const struct relay_range *range, uint32_t id)
{
	struct route *route = find_session(range, id);

	return route && route_is_command(route) ? route : NULL;
}

static int refuse(struct relay_range *range, const struct incoming *in)
{
	struct route *route = find_session(range, in->frame->id);

	if (relay_client_may_say(range->client, LOG_LEVEL_INFO))
		log_info("%s: id %u: %s", range->client->name, in->frame->id, in->why);
	if (route)
		abandon(range, route);
	return incoming_refuse(to_client(range), in, route != NULL);
}

/* The same for what is well said, but cannot be had. */
static int refuse_session(struct relay_range *range, struct incoming *in, const char *why)
{
	incoming_fault(in, MSG_REFUSAL_INVALID_SESSION, why);
	return incoming_refuse(to_client(range), in, true);
}

/* ---- requests ---- */

/* What an agent can do that its client does not ask for, is asked for on its behalf. */
static struct msg_relayed additions(const struct relay_range *range, bool counts_input,
				    bool counts_output)
{
	struct msg_relayed add = {0};

	add.input = agent_has(range, MSG_FEATURE_STDIN_WINDOW) && !counts_input;
	if (agent_has(range, MSG_FEATURE_OUTPUT_WINDOW) && !counts_output)
		add.output = route_window(range->routes.sessions);
	if (agent_keeps_sessions(range) && range->client->has_uid) {
		add.has_for_uid = true;
		add.for_uid = range->client->uid;
	}
	return add;
}

/* What was asked for on the client's behalf is ours to do. */
static void take_flow(struct route *route, const struct msg_relayed *add)
{
	route->counts_input = add->input;
	route->input.window = add->input ? MSG_INPUT_UNASKED : 0;
	route->output.window = add->output;
}

/* Why its client may not have one more; NULL: it may. */
static const char *lacks_session(const struct relay_range *range)
{
	const struct route_table *routes = &range->routes;

	if (routes->sessions >= ROUTE_SESSIONS_MAX)
		return "too many sessions of one client are in use";
	if (routes->of_user && *routes->of_user >= range->client->host->budget->sessions_of_user)
		return "this user has as many sessions as --max-sessions-of-user of the relay "
		       "allows";
	return NULL;
}

/* Passes it on. *add is what was said with it. */
static int put_request(struct relay_range *range, const struct incoming *in,
		       const struct msg_exec_request *request, struct msg_relayed *add)
{
	/* Whose it is, no client says; also not to the agent that may come next. */
	bool signs = agent_keeps_sessions(range) || request->has_for_uid;
	int r = -EMSGSIZE;

	/* An agent so old dies of what it reads otherwise than we do: it gets our words, too. */
	if (signs || add->input || add->output || range->agent->generation < MSG_GENERATION_ERR)
		r = msg_put_request_with(to_agent(range), in->frame->id, request, add);
	if (r != -EMSGSIZE || signs)
		return r;
	/* Byte for byte, or too large for more: a frame has its limit. */
	*add = (struct msg_relayed){0};
	return msg_put_payload(to_agent(range), in->frame->id, MSG_EXEC_REQUEST,
			       in->envelope.payload);
}

static int fail_request(struct relay_range *range, uint32_t id, const char *why, const char *stage)
{
	return msg_put_exec_failed(to_client(range), id, MSG_FAILURE_RESOURCE_LIMIT, 0, why, stage);
}

static int start(struct relay_range *range, struct incoming *in,
		 const struct msg_exec_request *request)
{
	struct msg_relayed add = additions(range, request->stdin_window, request->output_window);
	uint32_t id = in->frame->id;
	struct route *route = route_add(&range->routes, id, ROUTE_EXEC);
	int r;

	if (!route)
		return -ENOMEM;
	r = put_request(range, in, request, &add);
	if (r == -EBADMSG || r == -EMSGSIZE) {
		route_remove(&range->routes, route);
		return r == -EBADMSG
			       ? fail_request(range, id, "a malformed resource limit", "setrlimit")
			       : fail_request(range, id,
					      "the request is too large for a relay, which has "
					      "to say whose it is",
					      NULL);
	}
	tell_agent(range, r);
	route->v = in->envelope.v;
	route->probe = relay_agent_probe(range->agent);
	route->tty = request->tty;
	route->kept = agent_keeps_sessions(range) && request->on_disconnect.ptr &&
		      msg_on_disconnect_parse(request->on_disconnect) == MSG_DISCONNECT_KEEP;
	take_flow(route, &add);
	return 0;
}

/* Decoded in a copy, so that it can still be passed on as it came. */
static int take_request(struct relay_range *range, struct incoming *in, struct buf *copy)
{
	struct msg_bytes payload = in->envelope.payload;
	struct msg_exec_request request;
	const char *why;
	int r;

	if (buf_append(copy, payload.ptr, payload.len) < 0)
		return -ENOMEM;
	in->envelope.payload.ptr = buf_head(copy);
	r = incoming_decode(in, &request);
	in->envelope.payload = payload;
	if (r < 0)
		return r;
	if (!relay_agent_is_up(range->agent))
		return refuse_session(range, in, no_guest);
	why = lacks_session(range);
	return why ? fail_request(range, in->frame->id, why, NULL) : start(range, in, &request);
}

/* Something has that id. One that was abandoned ends soon, if the agent can be told all. */
static int in_use(const struct relay_range *range, const struct route *route)
{
	bool ends = route->kept || agent_has(range, MSG_FEATURE_OUTPUT_CLOSE);

	return route->abandoned && ends ? -EAGAIN : -EEXIST;
}

static int on_request(struct relay_range *range, struct incoming *in)
{
	struct route *route = route_find(&range->routes, in->frame->id);
	struct buf copy;
	int r;

	if (route)
		return in_use(range, route);
	buf_init(&copy, FRAME_WIRE_MAX, NULL);
	r = take_request(range, in, &copy);
	buf_release(&copy);
	return r;
}

/* ---- input ---- */

/* What comes behind all input: its end, and that the client leaves. */
static void pump_last(struct relay_range *range, struct route *route)
{
	if (route->end_due && relay_agent_input_room(range->agent)) {
		route->end_due = false;
		relay_agent_put_input(range->agent, route->id, (const uint8_t *)"", 0);
	}
	if (!route->end_due)
		send_detach(range, route);
}

/* Sends of the held input what may go. Whether any did. */
static bool pump_input(struct relay_range *range, struct route *route)
{
	struct relay_agent *agent = range->agent;
	bool any = false;
	size_t len;

	/* Joined on the way: each frame counts, however small. */
	while (route_may_go(route, 1) &&
	       (len = route_may_go(route, relay_agent_input_room(agent))) > 0) {
		relay_agent_put_input(agent, route->id, buf_head(&route->held), len);
		route_went(&range->routes, route, len);
		any = true;
	}
	if (!buf_len(&route->held))
		pump_last(range, route);
	return any;
}

/* What is given at once goes uncopied, in as many frames as it takes; returns how much that was. */
static size_t pass_input(struct relay_range *range, uint32_t id, struct msg_bytes data)
{
	size_t done = 0;

	while (done < data.len) {
		size_t len = data.len - done, room = relay_agent_input_room(range->agent);

		if (!room)
			break;
		len = len < room ? len : room;
		relay_agent_put_input(range->agent, id, data.ptr + done, len);
		done += len;
	}
	return done;
}

/* What the agent has room and gave credit for goes at once, the rest waits. */
static int take_input(struct relay_range *range, struct route *route, struct msg_bytes data)
{
	struct msg_bytes now = {data.ptr, 0};

	if (route->input_over)
		return 0;
	if (!data.len) {
		/* To a terminal it means nothing, and more may follow. */
		route->input_over = route->end_due = !route->tty;
		pump_input(range, route);
		return 0;
	}
	if (!buf_len(&route->held)) {
		now.len = credit_room(&route->input, data.len);
		now.len = pass_input(range, route->id, now);
		route->input.sent += now.len;
	}
	if (now.len == data.len)
		return 0;
	return route_hold(&range->routes, route, data.ptr + now.len, data.len - now.len);
}

static int on_stdin(struct relay_range *range, struct incoming *in)
{
	struct route *route = find_input(range, in->frame->id);
	struct msg_data data;
	int r = incoming_decode(in, &data);

	return r < 0 || !route ? r : take_input(range, route, data.data);
}

/* ---- what else a client says of its commands ---- */

/* Anew: an agent that cannot read it says core.error, and the session is lost to all. */
static int on_resize_or_signal(struct relay_range *range, struct incoming *in)
{
	uint32_t id = in->frame->id;
	union {
		struct msg_exec_resize resize;
		struct msg_exec_signal signal;
	} said;
	int r = incoming_decode(in, &said);

	if (r == 0 && find_command(range, id))
		tell_agent(range, msg_put(to_agent(range), id, in->envelope.type, &said));
	return r;
}

static int on_output_close(struct relay_range *range, struct incoming *in)
{
	uint32_t id = in->frame->id;
	enum msg_stream stream;
	int r = incoming_decode_stream(in, &stream);

	if (r == 0 && find_command(range, id) && agent_has(range, MSG_FEATURE_OUTPUT_CLOSE))
		tell_agent(range, msg_put_output_close(to_agent(range), id, stream));
	return r;
}

static int on_output_credit(struct relay_range *range, struct incoming *in)
{
	struct route *route = find_command(range, in->frame->id);
	struct msg_credit credit;
	int r = incoming_decode(in, &credit);

	/* Where we count ourselves the client has asked for nothing. */
	if (r == 0 && route && !route->output.window && agent_has(range, MSG_FEATURE_OUTPUT_WINDOW))
		tell_agent(range, msg_put_credit(to_agent(range), route->id, MSG_EXEC_OUTPUT_CREDIT,
						 credit.consumed));
	return r;
}

/* ---- kept sessions ---- */

static int cannot_keep(struct incoming *in)
{
	return incoming_fault(in, MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
			      "this agent cannot keep sessions");
}

/* Decodes what begins an id. 1 if it may, else what its handler returns: it has been answered. */
static int take_question(struct relay_range *range, struct incoming *in, void *ret_struct)
{
	struct route *route = route_find(&range->routes, in->frame->id);
	bool is_up = relay_agent_is_up(range->agent);
	const char *why;
	int r;

	if (is_up && !agent_keeps_sessions(range))
		return cannot_keep(in);
	if (route)
		return in_use(range, route);
	r = incoming_decode(in, ret_struct);
	if (r < 0)
		return r;
	if (!is_up)
		return refuse_session(range, in, no_guest);
	why = lacks_session(range);
	return why ? refuse_session(range, in, why) : 1;
}

/* Puts it, and what is to know its answers. *ret NULL: it was refused. */
static int ask(struct relay_range *range, struct incoming *in, enum route_kind kind,
	       const void *message, struct route **ret)
{
	uint32_t id = in->frame->id;
	struct route *route = route_add(&range->routes, id, kind);
	int r;

	*ret = NULL;
	if (!route)
		return -ENOMEM;
	r = msg_put(to_agent(range), id, in->envelope.type, message);
	if (r == -EMSGSIZE) {
		route_remove(&range->routes, route);
		return refuse_session(range, in, "it is too large for a relay");
	}
	tell_agent(range, r);
	route->v = in->envelope.v;
	route->probe = relay_agent_probe(range->agent);
	route->kept = true;
	*ret = route;
	return 0;
}

/* Whatever the client said of that. */
static void sign(const struct relay_range *range, bool *ret_has_uid, uint32_t *ret_uid)
{
	*ret_has_uid = range->client->has_uid;
	*ret_uid = range->client->uid;
}

static int on_session_list(struct relay_range *range, struct incoming *in)
{
	struct msg_session_list list;
	struct route *route;
	int r = take_question(range, in, &list);

	if (r <= 0)
		return r;
	sign(range, &list.has_for_uid, &list.for_uid);
	return ask(range, in, ROUTE_QUERY, &list, &route);
}

static int on_session_signal(struct relay_range *range, struct incoming *in)
{
	struct msg_session_signal signal;
	struct route *route;
	int r = take_question(range, in, &signal);

	if (r <= 0)
		return r;
	sign(range, &signal.has_for_uid, &signal.for_uid);
	return ask(range, in, ROUTE_QUERY, &signal, &route);
}

static int on_session_remove(struct relay_range *range, struct incoming *in)
{
	struct msg_session_remove remove;
	struct route *route;
	int r = take_question(range, in, &remove);

	if (r <= 0)
		return r;
	sign(range, &remove.has_for_uid, &remove.for_uid);
	return ask(range, in, ROUTE_QUERY, &remove, &route);
}

static int on_session_attach(struct relay_range *range, struct incoming *in)
{
	bool input_only = in->envelope.type == MSG_SESSION_INPUT;
	struct msg_session_attach attach = {0};
	struct msg_relayed add;
	struct route *route;
	int r = take_question(range, in, &attach);

	if (r <= 0)
		return r;
	add = additions(range, attach.stdin_window, input_only || attach.output_window);
	sign(range, &attach.has_for_uid, &attach.for_uid);
	attach.stdin_window |= add.input;
	if (add.output)
		attach.output_window = add.output;
	r = ask(range, in, input_only ? ROUTE_INPUT : ROUTE_ATTACH, &attach, &route);
	if (route)
		take_flow(route, &add);
	return r;
}

/* Behind the input that is held, which would be lost. */
static int on_session_detach(struct relay_range *range, struct incoming *in)
{
	uint32_t id = in->frame->id;
	struct route *route = find_input(range, id);
	struct msg_session_detach detach;
	int r;

	if (relay_agent_is_up(range->agent) && !agent_keeps_sessions(range))
		return cannot_keep(in);
	r = incoming_decode(in, &detach);
	if (r < 0 || !route || buf_len(&route->detach))
		return r;
	r = msg_put(&route->detach, id, MSG_SESSION_DETACH, &detach);
	if (r == -ENOBUFS)
		r = msg_put_empty(&route->detach, id, MSG_SESSION_DETACH);
	if (r == 0)
		pump_input(range, route);
	return r;
}

/* ---- the rest ---- */

/* Ping and touch: one answer is due for each. */
static int on_question(struct relay_range *range, struct incoming *in)
{
	struct route *route = route_find(&range->routes, in->frame->id);
	int r = incoming_decode(in, NULL);

	if (r < 0)
		return r;
	if (!relay_agent_is_up(range->agent))
		return refuse_session(range, in, no_guest);
	if (range->routes.count >= ROUTE_MAX)
		return refuse_session(range, in, "too many ids of one client are in use");
	if (!route) {
		route = route_add(&range->routes, in->frame->id, ROUTE_ASK);
		if (!route)
			return -ENOMEM;
		route->v = in->envelope.v;
	}
	route->asks++;
	tell_agent(range, msg_put_empty(to_agent(range), route->id, in->envelope.type));
	/* A command that was there before is no other guest's for being asked after. */
	if (route->kind == ROUTE_ASK && route->asks == 1)
		route->probe = relay_agent_probe(range->agent);
	return 0;
}

/* The beginning of a stream of files or TCP, of which only its ids concern us. */
static int on_stream(struct relay_range *range, struct incoming *in)
{
	bool is_fs = in->envelope.type == MSG_FS_REQUEST;
	bool is_up = relay_agent_is_up(range->agent);
	uint32_t id = in->frame->id;
	struct route *route;

	/* Our own agent refuses them without a look, and so can we. */
	if (is_up && range->agent->features)
		return (is_fs ? incoming_refuse_fs : incoming_refuse_tcp)(to_client(range), id);
	if (!is_up || range->routes.count >= ROUTE_MAX)
		return (is_fs ? msg_put_fs_refusal : msg_put_tcp_refusal)(to_client(range), id,
									  no_guest);
	if (route_find(&range->routes, id))
		return -EEXIST;
	if (msg_check(in->envelope.payload) < 0)
		return incoming_fault(in, MSG_REFUSAL_INVALID_PAYLOAD, "the payload is no map");
	route = route_add(&range->routes, id, ROUTE_STREAM);
	if (!route)
		return -ENOMEM;
	route->v = in->envelope.v;
	tell_agent(range,
		   msg_put_payload(to_agent(range), id, in->envelope.type, in->envelope.payload));
	route->probe = relay_agent_probe(range->agent);
	return 0;
}

static int on_stream_data(struct relay_range *range, struct incoming *in)
{
	struct route *route = route_find(&range->routes, in->frame->id);

	if (!route || route->kind != ROUTE_STREAM || msg_check(in->envelope.payload) < 0)
		return 0;
	if (!relay_agent_has_stream_room(range->agent))
		return -EAGAIN;
	tell_agent(range, msg_put_payload(relay_agent_out_stream(range->agent), route->id,
					  in->envelope.type, in->envelope.payload));
	return 0;
}

static int on_shutdown(struct relay_range *range, struct incoming *in)
{
	(void)in;
	if (range->client->trusted) {
		if (relay_agent_is_up(range->agent))
			tell_agent(range, msg_put_empty(to_agent(range), 0, MSG_SHUTDOWN));
	} else if (relay_client_may_say(range->client, LOG_LEVEL_WARN)) {
		log_warn("%s: may not shut down the agent", range->client->name);
	}
	return 0;
}

/* What has no row is for another place or another direction, and ignored. */
static int (*const handlers[MSG_TYPE_COUNT])(struct relay_range *range, struct incoming *in) = {
	[MSG_SHUTDOWN] = on_shutdown,
	[MSG_PING] = on_question,
	[MSG_TOUCH] = on_question,
	[MSG_EXEC_REQUEST] = on_request,
	[MSG_EXEC_STDIN] = on_stdin,
	[MSG_EXEC_RESIZE] = on_resize_or_signal,
	[MSG_EXEC_SIGNAL] = on_resize_or_signal,
	[MSG_EXEC_OUTPUT_CLOSE] = on_output_close,
	[MSG_EXEC_OUTPUT_CREDIT] = on_output_credit,
	[MSG_SESSION_LIST] = on_session_list,
	[MSG_SESSION_ATTACH] = on_session_attach,
	[MSG_SESSION_INPUT] = on_session_attach,
	[MSG_SESSION_DETACH] = on_session_detach,
	[MSG_SESSION_SIGNAL] = on_session_signal,
	[MSG_SESSION_REMOVE] = on_session_remove,
	[MSG_FS_REQUEST] = on_stream,
	[MSG_FS_DATA] = on_stream_data,
	[MSG_TCP_CONNECT] = on_stream,
	[MSG_TCP_DATA] = on_stream_data,
	[MSG_TCP_EOF] = on_stream_data,
	[MSG_TCP_CLOSE] = on_stream_data,
};

int range_ask(struct relay_range *range, const struct frame *frame)
{
	struct incoming in;
	int r;

	if (frame->id && relay_slot_of(frame->id) != range->slot)
		return -EPROTO;
	r = incoming_open(&in, frame);
	if (r == 0 && handlers[in.envelope.type])
		r = handlers[in.envelope.type](range, &in);
	return r == -EBADMSG ? refuse(range, &in) : r;
}

/* ---- what the agent says ---- */

/* The type, and the payload decoded where it concerns us. */
struct answer {
	struct msg_envelope envelope;
	uint8_t copy[PEEK_MAX];
};

static void open_answer(struct answer *answer, const struct frame *frame)
{
	struct frame mine = *frame;

	answer->envelope = (struct msg_envelope){0};
	if (frame->wire_len > sizeof(answer->copy))
		return;
	/* On a copy, since decoding may change it and the client gets it as it was. */
	memcpy(answer->copy, frame->body, frame->body_len);
	mine.body = answer->copy;
	if (msg_open(&mine, &answer->envelope) < 0)
		answer->envelope.type = MSG_UNKNOWN;
}

/* Gives the client the frame, and counts output that its own stream now holds. */
static void pass_on(struct relay_range *range, struct route *route, const struct frame *frame,
		    struct msg_envelope *envelope)
{
	uint64_t stream_end = relay_client_pass(range->client, frame);
	struct msg_data data;

	if (!route->output.window)
		return;
	/* Large ones are opened where they are: they have been passed on by now. */
	if (envelope->type == MSG_UNKNOWN && msg_open(frame, envelope) < 0)
		return;
	if (envelope->type != MSG_EXEC_STDOUT && envelope->type != MSG_EXEC_STDERR)
		return;
	if (msg_decode(envelope->type, envelope->payload, &data) == 0)
		route_queued(route, data.data.len, stream_end);
}

static void on_started(struct route *route, const struct msg_envelope *envelope)
{
	struct msg_exec_started started;

	if (route->counts_input && msg_decode(MSG_EXEC_STARTED, envelope->payload, &started) == 0)
		route->input.window = started.stdin_window;
}

static void on_attached(struct route *route, const struct msg_envelope *envelope)
{
	struct msg_session_attached attached;

	if (msg_decode(MSG_SESSION_ATTACHED, envelope->payload, &attached) < 0)
		return;
	if (route->counts_input)
		route->input.window = attached.stdin_window;
	/* An end that was said before it was known what it means. */
	route->tty = attached.tty;
	if (route->tty)
		route->input_over = route->end_due = false;
}

static void on_stdin_credit(struct route *route, const struct msg_envelope *envelope)
{
	struct msg_credit credit;

	if (msg_decode(MSG_EXEC_STDIN_CREDIT, envelope->payload, &credit) == 0)
		credit_consumed(&route->input, credit.consumed);
}

/*
 * What the agent says of the input that we hold on the client's behalf. True: it is not for the
 * client.
 */
static bool take_input_credit(struct relay_range *range, struct route *route,
			      const struct msg_envelope *envelope)
{
	static void (*const takers[MSG_TYPE_COUNT])(struct route * route,
						    const struct msg_envelope *envelope) = {
		[MSG_EXEC_STARTED] = on_started,
		[MSG_SESSION_ATTACHED] = on_attached,
		[MSG_EXEC_STDIN_CREDIT] = on_stdin_credit,
	};
	bool is_credit = envelope->type == MSG_EXEC_STDIN_CREDIT;

	if (!takers[envelope->type] || !route_takes_input(route) ||
	    (is_credit && !route->counts_input))
		return false;
	takers[envelope->type](route, envelope);
	pump_input(range, route);
	return is_credit;
}

/* Whether this terminal frame was the last of its id. */
static bool is_last(struct route *route, enum msg_type type)
{
	if (type != MSG_PONG && type != MSG_TOUCHED)
		return true;
	/* A ping may share the id of a command. */
	return route->kind == ROUTE_ASK && --route->asks == 0;
}

static void deliver(struct relay_range *range, struct route *route, const struct frame *frame)
{
	struct answer answer;

	open_answer(&answer, frame);
	relay_client_mark(range->client);
	if (!route->abandoned && !take_input_credit(range, route, &answer.envelope)) {
		if (answer.envelope.type == MSG_ERROR && route->v < MSG_GENERATION_ERR)
			relay_client_drop(range->client, "it cannot be told what is wrong");
		else
			pass_on(range, route, frame, &answer.envelope);
	}
	if ((frame->flags & FRAME_TERMINAL) && is_last(route, answer.envelope.type))
		route_remove(&range->routes, route);
}

/*
 * A command that nobody knows of, started by what a guest found in its stream when it began anew:
 * its client has been told that it is over. Ours ends such commands itself.
 */
static void end_orphan(struct relay_range *range, const struct frame *frame)
{
	struct answer answer;

	log_debug("id %u: a frame for nobody", frame->id);
	if (agent_has(range, MSG_FEATURE_ON_DISCONNECT))
		return;
	open_answer(&answer, frame);
	if (answer.envelope.type == MSG_EXEC_STARTED)
		tell_agent(range, msg_put_exec_signal(to_agent(range), frame->id, SIGKILL));
}

void range_answer(struct relay_range *range, const struct frame *frame)
{
	struct route *route = route_find(&range->routes, frame->id);

	if (!range->client && is_taken(range))
		watch_end(range, frame);
	else if (route)
		deliver(range, route, frame);
	else
		end_orphan(range, frame);
}

void range_flushed(struct relay_range *range, uint64_t sent)
{
	struct route *route, *served = NULL;
	uint64_t consumed;

	list_each(route, &range->routes.list, in_table) {
		if (route_sent(route, sent, &consumed))
			tell_agent(range, msg_put_credit(to_agent(range), route->id,
							 MSG_EXEC_OUTPUT_CREDIT, consumed));
		if (pump_input(range, route) && !served)
			served = route;
	}
	/* The agent's room is there for all: who had some first is the last one the next time. */
	if (served)
		route_served(&range->routes, served);
}

/* ---- its beginning ---- */

void range_init(struct relay_range *range, struct relay_agent *agent, struct relay_slots *slots,
		int slot)
{
	*range = (struct relay_range){
		.agent = agent, .slots = slots, .slot = slot, .limit.on_due = on_limit};
}

void range_release(struct relay_range *range)
{
	route_clear(&range->routes);
}

void range_take(struct relay_range *range, struct relay_client *client)
{
	range->client = client;
	range->routes.of_user = client->use ? &client->use->sessions : NULL;
}
