/*
 * What becomes of each frame that a client sends. Nothing reaches the agent that was not decoded
 * here, and what does is in an envelope that we wrote; what is wrong gets the answer that msb-execd
 * would give.
 */
#include <errno.h>
#include <string.h>

#include "../shared/log.h"
#include "relay.h"

static const char no_guest[] = "the guest is not connected";

static struct relay_agent *agent_of(const struct relay_client *client)
{
	return &client->relay->agent;
}

static struct buf *out_of(const struct relay_client *client)
{
	return relay_agent_out(&client->relay->agent);
}

static struct route *find(const struct relay_client *client, const struct incoming *incoming)
{
	return route_find(relay_routes((struct relay_client *)client), incoming->frame->id);
}

/* ---- answers ---- */

/* The client has had its last frame: the agent is to end it, and its own last frame is awaited. */
static void abandon(struct relay_client *client, struct route *route)
{
	struct relay_agent *agent = agent_of(client);

	route->abandoned = true;
	route_went(relay_routes(client), route, buf_len(&route->held));
	if (route->kind != ROUTE_EXEC)
		return;
	relay_agent_told(agent, msg_put_exec_signal(out_of(client), route->id, 9));
	/* A descendant that holds the output would keep the id from ending. */
	for (int i = MSG_STREAM_STDOUT; i <= MSG_STREAM_STDERR; i++)
		if (relay_agent_has(agent, MSG_FEATURE_OUTPUT_CLOSE))
			relay_agent_told(agent, msg_put_output_close(out_of(client), route->id,
								     (enum msg_stream)i));
}

static int refuse(struct relay_client *client, const struct incoming *incoming,
		  const struct incoming_fault *fault)
{
	struct route *route = find(client, incoming);
	bool live = route && route->kind == ROUTE_EXEC && !route->abandoned;

	if (log_may(&client->said, loop_now_ms(), client->name))
		log_info("%s: id %u: %s", client->name, incoming->frame->id, fault->message);
	if (live)
		abandon(client, route);
	return incoming_refuse(link_out(&client->link), incoming, fault, live);
}

/* The same for what is well said, but cannot be had. */
static int refuse_session(struct relay_client *client, const struct incoming *incoming,
			  const char *why)
{
	struct incoming_fault fault = {.kind = MSG_REFUSAL_INVALID_SESSION};

	strncpy(fault.message, why, sizeof(fault.message) - 1);
	return incoming_refuse(link_out(&client->link), incoming, &fault, true);
}

/* Decodes the payload on the side, so that it can still be passed on as it came. */
static int decode_aside(struct relay_client *client, const struct incoming *incoming,
			void *ret_struct, struct incoming_fault *ret_fault)
{
	struct buf *scratch = &client->relay->scratch;
	struct incoming copy = *incoming;

	buf_consume(scratch, buf_len(scratch));
	if (buf_append(scratch, incoming->envelope.payload.ptr, incoming->envelope.payload.len) < 0)
		return -ENOMEM;
	copy.envelope.payload.ptr = buf_head(scratch);
	return incoming_decode(&copy, ret_struct, ret_fault);
}

/* ---- exec ---- */

/* What an agent can do that its client does not ask for, is asked for on its behalf. */
static struct msg_windows windows_for(const struct relay_client *client,
				      const struct msg_exec_request *request)
{
	const struct relay_agent *agent = agent_of(client);
	struct msg_windows add = {0};

	add.input = relay_agent_has(agent, MSG_FEATURE_STDIN_WINDOW) && !request->stdin_window;
	if (relay_agent_has(agent, MSG_FEATURE_OUTPUT_WINDOW) && !request->output_window)
		add.output = route_window(relay_routes((struct relay_client *)client)->execs);
	return add;
}

static int start(struct relay_client *client, const struct incoming *incoming,
		 const struct msg_exec_request *request)
{
	struct route_table *routes = relay_routes(client);
	struct msg_windows add = windows_for(client, request);
	uint32_t id = incoming->frame->id;
	struct route *route = route_add(routes, id, ROUTE_EXEC);
	int r = -EMSGSIZE;

	if (!route)
		return -ENOMEM;
	/* An agent so old dies of what it reads otherwise than we do: it gets our words, too. */
	if (add.input || add.output || agent_of(client)->generation < MSG_GENERATION_ERR)
		r = msg_put_request_with(out_of(client), id, request, &add);
	if (r == -EMSGSIZE) {
		/* Byte for byte, or too large for more: a frame has its limit. */
		add = (struct msg_windows){0};
		r = msg_put_payload(out_of(client), id, MSG_EXEC_REQUEST,
				    incoming->envelope.payload);
	}
	if (r == -EBADMSG) {
		route_remove(routes, route);
		return msg_put_exec_failed(link_out(&client->link), id, MSG_FAILURE_RESOURCE_LIMIT,
					   0, "a malformed resource limit", "setrlimit");
	}
	relay_agent_told(agent_of(client), r);
	route->v = incoming->envelope.v;
	route->probe = relay_agent_probe(agent_of(client));
	route->tty = request->tty;
	route->counts_input = add.input;
	route->input.window = add.input ? ROUTE_EARLY_INPUT : 0;
	route->output.window = add.output;
	return 0;
}

static int on_request(struct relay_client *client, const struct incoming *incoming)
{
	struct route *route = find(client, incoming);
	struct msg_exec_request request;
	struct incoming_fault fault;
	int r;

	/* One that was killed for a bad frame ends soon, if the agent can be told all. */
	if (route && route->abandoned &&
	    relay_agent_has(agent_of(client), MSG_FEATURE_OUTPUT_CLOSE))
		return -EAGAIN;
	if (route)
		return -EEXIST;
	r = decode_aside(client, incoming, &request, &fault);
	if (r < 0)
		return r == -EBADMSG ? refuse(client, incoming, &fault) : r;
	if (!relay_agent_is_up(agent_of(client)))
		return refuse_session(client, incoming, no_guest);
	if (relay_routes(client)->execs >= ROUTE_EXECS_MAX)
		return msg_put_exec_failed(link_out(&client->link), incoming->frame->id,
					   MSG_FAILURE_RESOURCE_LIMIT, 0,
					   "too many commands of one client are running", NULL);
	return start(client, incoming, &request);
}

void relay_pump_input(struct relay_client *client, struct route *route)
{
	struct route_table *routes = relay_routes(client);
	struct relay_agent *agent = agent_of(client);
	size_t len;

	/* Joined on the way: each frame counts, however small. */
	while (route_may_go(route, 1) &&
	       (len = route_may_go(route, relay_agent_input_room(agent))) > 0) {
		relay_agent_put_input(agent, route->id, buf_head(&route->held), len);
		route_went(routes, route, len);
	}
	if (route->end_due && !buf_len(&route->held) && relay_agent_input_room(agent)) {
		route->end_due = false;
		relay_agent_put_input(agent, route->id, (const uint8_t *)"", 0);
	}
}

/* What is given at once goes uncopied, in as many frames as it takes; returns how much that was. */
static size_t pass_input(struct relay_client *client, uint32_t id, struct msg_bytes data)
{
	struct relay_agent *agent = agent_of(client);
	size_t done = 0;

	while (done < data.len) {
		size_t len = data.len - done, room = relay_agent_input_room(agent);

		if (!room)
			break;
		len = len < room ? len : room;
		relay_agent_put_input(agent, id, data.ptr + done, len);
		done += len;
	}
	return done;
}

/* What the agent has room and gave credit for goes at once, the rest waits. */
static int hold_input(struct relay_client *client, struct route *route, struct msg_bytes data)
{
	struct msg_bytes now = {data.ptr, 0};

	if (route->input_over)
		return 0;
	if (!data.len) {
		/* To a terminal it means nothing, and more may follow. */
		route->input_over = route->end_due = !route->tty;
		relay_pump_input(client, route);
		return 0;
	}
	if (!buf_len(&route->held)) {
		now.len = credit_room(&route->input, data.len);
		now.len = pass_input(client, route->id, now);
		route->input.sent += now.len;
	}
	if (now.len == data.len)
		return 0;
	return route_hold(relay_routes(client), route, data.ptr + now.len, data.len - now.len);
}

static int on_stdin(struct relay_client *client, const struct incoming *incoming)
{
	struct route *route = find(client, incoming);
	struct incoming_fault fault;
	struct msg_data data;

	if (incoming_decode(incoming, &data, &fault) < 0)
		return refuse(client, incoming, &fault);
	if (!route || route->kind != ROUTE_EXEC || route->abandoned)
		return 0;
	return hold_input(client, route, data.data);
}

/* The route to pass something on to, or NULL when there is no such session. */
static struct route *find_exec(struct relay_client *client, const struct incoming *incoming)
{
	struct route *route = find(client, incoming);

	return route && route->kind == ROUTE_EXEC && !route->abandoned ? route : NULL;
}

static int on_resize(struct relay_client *client, const struct incoming *incoming)
{
	struct msg_exec_resize resize;
	struct incoming_fault fault;

	if (incoming_decode(incoming, &resize, &fault) < 0)
		return refuse(client, incoming, &fault);
	/* Anew: an agent that cannot read it says core.error, and the session is lost to all. */
	if (find_exec(client, incoming))
		relay_agent_told(agent_of(client), msg_put(out_of(client), incoming->frame->id,
							   MSG_EXEC_RESIZE, &resize));
	return 0;
}

static int on_signal(struct relay_client *client, const struct incoming *incoming)
{
	struct msg_exec_signal signal;
	struct incoming_fault fault;

	if (incoming_decode(incoming, &signal, &fault) < 0)
		return refuse(client, incoming, &fault);
	if (find_exec(client, incoming))
		relay_agent_told(
			agent_of(client),
			msg_put_exec_signal(out_of(client), incoming->frame->id, signal.signal));
	return 0;
}

static int on_output_close(struct relay_client *client, const struct incoming *incoming)
{
	struct incoming_fault fault;
	enum msg_stream stream;

	if (incoming_decode_stream(incoming, &stream, &fault) < 0)
		return refuse(client, incoming, &fault);
	if (find_exec(client, incoming) &&
	    relay_agent_has(agent_of(client), MSG_FEATURE_OUTPUT_CLOSE))
		relay_agent_told(agent_of(client),
				 msg_put_output_close(out_of(client), incoming->frame->id, stream));
	return 0;
}

static int on_output_credit(struct relay_client *client, const struct incoming *incoming)
{
	struct incoming_fault fault;
	struct msg_credit credit;
	struct route *route;

	if (incoming_decode(incoming, &credit, &fault) < 0)
		return refuse(client, incoming, &fault);
	route = find_exec(client, incoming);
	/* Where we count ourselves the client has asked for nothing. */
	if (route && !route->output.window &&
	    relay_agent_has(agent_of(client), MSG_FEATURE_OUTPUT_WINDOW))
		relay_agent_told(agent_of(client),
				 msg_put_credit(out_of(client), route->id, MSG_EXEC_OUTPUT_CREDIT,
						credit.consumed));
	return 0;
}

/* ---- the rest ---- */

/* Ping and touch: one answer is due for each. */
static int on_ask(struct relay_client *client, const struct incoming *incoming)
{
	enum msg_type type = incoming->envelope.type;
	struct route *route = find(client, incoming);
	struct incoming_fault fault;

	if (incoming_decode(incoming, NULL, &fault) < 0)
		return refuse(client, incoming, &fault);
	if (!relay_agent_is_up(agent_of(client)))
		return refuse_session(client, incoming, no_guest);
	if (relay_routes(client)->count >= ROUTE_MAX)
		return refuse_session(client, incoming, "too many ids of one client are in use");
	if (!route) {
		route = route_add(relay_routes(client), incoming->frame->id, ROUTE_ASK);
		if (!route)
			return -ENOMEM;
		route->v = incoming->envelope.v;
	}
	route->asks++;
	relay_agent_told(agent_of(client), msg_put_empty(out_of(client), route->id, type));
	/* A command that was there before is no other guest's for being asked after. */
	if (route->kind == ROUTE_ASK && route->asks == 1)
		route->probe = relay_agent_probe(agent_of(client));
	return 0;
}

/* The beginning of a stream of files or TCP, of which only its ids concern us. */
static int on_stream(struct relay_client *client, const struct incoming *incoming)
{
	bool is_fs = incoming->envelope.type == MSG_FS_REQUEST;
	struct relay_agent *agent = agent_of(client);
	struct incoming_fault fault = {.kind = MSG_REFUSAL_INVALID_PAYLOAD};
	uint32_t id = incoming->frame->id;
	struct route *route;

	/* Our own agent refuses them without a look, and so can we. */
	if (relay_agent_is_up(agent) && agent->features)
		return is_fs ? incoming_refuse_fs(link_out(&client->link), id)
			     : incoming_refuse_tcp(link_out(&client->link), id);
	if (!relay_agent_is_up(agent) || relay_routes(client)->count >= ROUTE_MAX)
		return is_fs ? msg_put_fs_refusal(link_out(&client->link), id, no_guest)
			     : msg_put_tcp_refusal(link_out(&client->link), id, no_guest);
	if (find(client, incoming))
		return -EEXIST;
	if (msg_check(incoming->envelope.payload) < 0) {
		strcpy(fault.message, "the payload is no map");
		return refuse(client, incoming, &fault);
	}
	route = route_add(relay_routes(client), id, ROUTE_STREAM);
	if (!route)
		return -ENOMEM;
	route->v = incoming->envelope.v;
	relay_agent_told(agent, msg_put_payload(out_of(client), id, incoming->envelope.type,
						incoming->envelope.payload));
	route->probe = relay_agent_probe(agent);
	return 0;
}

static int on_stream_data(struct relay_client *client, const struct incoming *incoming)
{
	struct route *route = find(client, incoming);

	if (!route || route->kind != ROUTE_STREAM || msg_check(incoming->envelope.payload) < 0)
		return 0;
	if (!relay_agent_has_stream_room(agent_of(client)))
		return -EAGAIN;
	relay_agent_told(agent_of(client),
			 msg_put_payload(relay_agent_out_stream(agent_of(client)), route->id,
					 incoming->envelope.type, incoming->envelope.payload));
	return 0;
}

static int on_shutdown(struct relay_client *client, const struct incoming *incoming)
{
	(void)incoming;
	if (!client->trusted) {
		if (log_may(&client->said, loop_now_ms(), client->name))
			log_warn("%s: may not shut down the agent", client->name);
		return 0;
	}
	if (relay_agent_is_up(agent_of(client)))
		relay_agent_told(agent_of(client), msg_put_empty(out_of(client), 0, MSG_SHUTDOWN));
	return 0;
}

typedef int handler(struct relay_client *client, const struct incoming *incoming);

/* What has no row is for another place or another direction, and ignored. */
static handler *const handlers[MSG_TYPE_COUNT] = {
	[MSG_SHUTDOWN] = on_shutdown,
	[MSG_PING] = on_ask,
	[MSG_TOUCH] = on_ask,
	[MSG_EXEC_REQUEST] = on_request,
	[MSG_EXEC_STDIN] = on_stdin,
	[MSG_EXEC_RESIZE] = on_resize,
	[MSG_EXEC_SIGNAL] = on_signal,
	[MSG_EXEC_OUTPUT_CLOSE] = on_output_close,
	[MSG_EXEC_OUTPUT_CREDIT] = on_output_credit,
	[MSG_FS_REQUEST] = on_stream,
	[MSG_FS_DATA] = on_stream_data,
	[MSG_TCP_CONNECT] = on_stream,
	[MSG_TCP_DATA] = on_stream_data,
	[MSG_TCP_EOF] = on_stream_data,
	[MSG_TCP_CLOSE] = on_stream_data,
};

int relay_letter(struct relay_client *client, const struct frame *frame)
{
	struct incoming_fault fault;
	struct incoming incoming;
	int r;

	if (frame->id && relay_slot_of(frame->id) != client->slot)
		return -EPROTO;
	r = incoming_open(&incoming, frame, &fault);
	if (r == -EBADMSG)
		return refuse(client, &incoming, &fault);
	if (r < 0 || !handlers[incoming.envelope.type])
		return r;
	return handlers[incoming.envelope.type](client, &incoming);
}
