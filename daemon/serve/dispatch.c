/* What becomes of a client's frames: see dispatch.h. */
#include "dispatch.h"

#include <errno.h>

#include "shared/base.h"
#include "shared/log.h"

static struct dispatch *dispatch_of(const struct conn *conn)
{
	return container_of(conn->host, struct dispatch, conns);
}

/* ---- what goes to the session of its id, decoded ---- */

union payload {
	struct msg_data data;
	struct msg_exec_resize resize;
	struct msg_exec_signal signal;
	struct msg_credit credit;
	struct msg_session_detach detach;
};

static void on_stdin(struct conn *conn, struct outlet_member *member, const union payload *payload)
{
	struct msg_bytes data = payload->data.data;

	/* More of that size may be moved, if the link reads their heads alone. */
	if (data.len >= CONN_BULK_MIN && member->calls->can_move(member))
		link_limit_readahead(&conn->link, MSG_BULK_HEAD_STDIN);
	member->calls->on_input(member, data);
}

static void on_resize(struct conn *conn, struct outlet_member *member, const union payload *payload)
{
	(void)conn;
	member->calls->on_resize(member, &payload->resize);
}

static void on_signal(struct conn *conn, struct outlet_member *member, const union payload *payload)
{
	(void)conn;
	member->calls->on_signal(member, payload->signal.signal);
}

static void on_output_credit(struct conn *conn, struct outlet_member *member,
			     const union payload *payload)
{
	(void)conn;
	member->calls->on_output_credit(member, payload->credit.consumed);
}

static void on_detach(struct conn *conn, struct outlet_member *member, const union payload *payload)
{
	(void)conn;
	member->calls->on_detach(member, &payload->detach);
}

/* ---- the others: as dispatch_incoming() ---- */

/* Who asks: on a serial port, whoever its relay says. */
static struct owner owner_of(const struct conn *conn, bool has_for_uid, uint32_t for_uid)
{
	if (has_for_uid && conn->relayed)
		return (struct owner){
			.kind = OWNER_RELAYED, .number = for_uid, .way = conn->owner.way};
	return conn->owner;
}

static int on_request(struct conn *conn, struct incoming *in)
{
	uint32_t id = in->frame->id;
	struct msg_exec_request request;
	struct owner owner;
	int r;

	if (outlet_find(&conn->outlet, id))
		return -EEXIST;
	if (in->frame->wire_len - FRAME_PREFIX_LEN > conn->host->budget->request) {
		conn->host->jobs->activity++;
		return msg_put_exec_failed(link_out(&conn->link), id, MSG_FAILURE_RESOURCE_LIMIT, 0,
					   "cannot spawn: the request has more text than "
					   "--max-request allows",
					   NULL);
	}
	r = incoming_decode(in, &request);
	if (r < 0)
		return r;
	owner = owner_of(conn, request.has_for_uid, request.for_uid);
	job_start(conn->host->jobs, &conn->outlet, id, &owner, &request,
		  dispatch_of(conn)->max_jobs);
	return 0;
}

static int on_output_close(struct conn *conn, struct incoming *in)
{
	struct outlet_member *member = outlet_find(&conn->outlet, in->frame->id);
	enum msg_stream stream;
	int r = incoming_decode_stream(in, &stream);

	if (r == 0 && member)
		member->calls->on_output_close(member, stream);
	return r;
}

static int on_ping(struct conn *conn, struct incoming *in)
{
	int r = incoming_decode(in, NULL);

	return r < 0 ? r : msg_put_empty(link_out(&conn->link), in->frame->id, MSG_PONG);
}

static int on_touch(struct conn *conn, struct incoming *in)
{
	int r = incoming_decode(in, NULL);

	return r < 0 ? r
		     : msg_put_touched(link_out(&conn->link), in->frame->id,
				       ++conn->host->jobs->activity);
}

static int on_shutdown(struct conn *conn, struct incoming *in)
{
	struct dispatch *dispatch = dispatch_of(conn);

	(void)in;
	if (conn->trusted)
		dispatch->on_shutdown(dispatch);
	else if (conn_may_say(conn, LOG_LEVEL_WARN))
		log_warn("%s: may not shut down the agent", conn->name);
	return 0;
}

/* ---- kept sessions ---- */

static struct keeper *keeper_of(const struct conn *conn)
{
	return &conn->host->jobs->keeper;
}

/* The one that is meant, if who asks may touch it; else it is as if there were none. */
static int find_kept(struct conn *conn, struct incoming *in, struct msg_text session,
		     const struct owner *who, struct kept **ret)
{
	*ret = keeper_find(keeper_of(conn), session, who);
	return *ret ? 0 : incoming_fault(in, MSG_REFUSAL_INVALID_SESSION, "no such session");
}

static int on_session_list(struct conn *conn, struct incoming *in)
{
	struct msg_session_list list;
	struct owner who;
	int r = incoming_decode(in, &list);

	if (r < 0)
		return r;
	who = owner_of(conn, list.has_for_uid, list.for_uid);
	return keeper_list(keeper_of(conn), &who, link_out(&conn->link), in->frame->id);
}

static int attach(struct conn *conn, struct incoming *in, bool input)
{
	uint32_t id = in->frame->id;
	struct msg_session_attach attach;
	struct kept *kept = NULL;
	struct owner who;
	int r, mode;

	r = incoming_decode(in, &attach);
	if (r < 0)
		return r;
	mode = attach.mode.ptr ? msg_attach_parse(attach.mode) : MSG_ATTACH_TAKE;
	if (mode < 0)
		return incoming_fault(in, MSG_REFUSAL_INVALID_PAYLOAD, "no such mode");
	who = owner_of(conn, attach.has_for_uid, attach.for_uid);
	r = find_kept(conn, in, attach.session, &who, &kept);
	if (r == 0 && input)
		r = kept_attach_input(kept, &conn->outlet, id, &attach);
	else if (r == 0)
		r = kept_attach(kept, &conn->outlet, id, &attach, (enum msg_attach)mode);
	return r == -EUSERS ? incoming_fault(in, MSG_REFUSAL_INVALID_SESSION,
					     "too many are attached to the session")
			    : r;
}

static int on_session_attach(struct conn *conn, struct incoming *in)
{
	return attach(conn, in, false);
}

static int on_session_input(struct conn *conn, struct incoming *in)
{
	return attach(conn, in, true);
}

static int on_session_signal(struct conn *conn, struct incoming *in)
{
	struct msg_session_signal signal;
	struct kept *kept = NULL;
	struct owner who;
	int r = incoming_decode(in, &signal);

	if (r < 0)
		return r;
	who = owner_of(conn, signal.has_for_uid, signal.for_uid);
	r = find_kept(conn, in, signal.session, &who, &kept);
	if (r < 0)
		return r;
	if (!kept->command)
		return incoming_fault(in, MSG_REFUSAL_INVALID_SESSION, "the session has ended");
	kept->command->calls->on_signal(kept->command, signal.signal);
	return msg_put_empty(link_out(&conn->link), in->frame->id, MSG_SESSION_DONE);
}

static int on_session_remove(struct conn *conn, struct incoming *in)
{
	struct msg_session_remove remove;
	struct kept *kept = NULL;
	struct owner who;
	int r = incoming_decode(in, &remove);

	if (r < 0)
		return r;
	who = owner_of(conn, remove.has_for_uid, remove.for_uid);
	r = find_kept(conn, in, remove.session, &who, &kept);
	if (r < 0)
		return r;
	if (!kept->ended)
		return incoming_fault(in, MSG_REFUSAL_INVALID_SESSION,
				      "the session runs; --kill ends it");
	keeper_remove(keeper_of(conn), kept);
	return msg_put_empty(link_out(&conn->link), in->frame->id, MSG_SESSION_DONE);
}

/* With none of the three: for another place (a serial port), another direction, or for nobody. */
struct handler {
	bool passive;  /* does not count as activity */
	bool sessions; /* of an agent that keeps them */
	void (*run_session)(struct conn *conn, struct outlet_member *member,
			    const union payload *payload);
	int (*run)(struct conn *conn, struct incoming *in);
	int (*answer)(struct buf *out, uint32_t id); /* counts as two */
};

static const struct handler handlers[MSG_TYPE_COUNT] = {
	[MSG_SHUTDOWN] = {.run = on_shutdown},
	[MSG_CLOCK_SYNC] = {.passive = true},
	[MSG_PING] = {.passive = true, .run = on_ping},
	[MSG_TOUCH] = {.passive = true, .run = on_touch},
	[MSG_EXEC_REQUEST] = {.run = on_request},
	[MSG_EXEC_STDIN] = {.run_session = on_stdin},
	[MSG_EXEC_RESIZE] = {.run_session = on_resize},
	[MSG_EXEC_SIGNAL] = {.run_session = on_signal},
	[MSG_EXEC_OUTPUT_CLOSE] = {.run = on_output_close},
	[MSG_EXEC_OUTPUT_CREDIT] = {.passive = true, .run_session = on_output_credit},
	[MSG_SESSION_LIST] = {.sessions = true, .run = on_session_list},
	[MSG_SESSION_ATTACH] = {.sessions = true, .run = on_session_attach},
	[MSG_SESSION_INPUT] = {.sessions = true, .run = on_session_input},
	[MSG_SESSION_DETACH] = {.sessions = true, .run_session = on_detach},
	[MSG_SESSION_SIGNAL] = {.sessions = true, .run = on_session_signal},
	[MSG_SESSION_REMOVE] = {.sessions = true, .run = on_session_remove},
	[MSG_FS_REQUEST] = {.answer = incoming_refuse_fs},
	[MSG_TCP_CONNECT] = {.answer = incoming_refuse_tcp},
};

int dispatch_incoming(struct conn *conn, struct incoming *in)
{
	const struct handler *handler = &handlers[in->envelope.type];
	struct outlet_member *member = outlet_find(&conn->outlet, in->frame->id);
	union payload payload;
	int r;

	conn->host->jobs->activity += handler->answer ? 2 : !handler->passive;
	if (handler->sessions && !keeper_of(conn)->keeps)
		return incoming_fault(in, MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE,
				      "this agent cannot keep sessions");
	if (handler->sessions && member && msg_flags(in->envelope.type) & FRAME_SESSION_START)
		return -EEXIST;
	if (handler->answer)
		return handler->answer(link_out(&conn->link), in->frame->id);
	if (handler->run)
		return handler->run(conn, in);
	if (!handler->run_session) {
		log_debug("%s: %s ignored", conn->name, msg_name(in->envelope.type));
		return 0;
	}
	r = incoming_decode(in, &payload);
	if (r == 0 && member)
		handler->run_session(conn, member, &payload);
	return r;
}

int dispatch_refuse(struct conn *conn, const struct incoming *in)
{
	uint32_t id = in->frame->id;
	struct outlet_member *member = outlet_find(&conn->outlet, id);

	if (conn_may_say(conn, LOG_LEVEL_INFO))
		log_info("%s: id %u: %s", conn->name, id, in->why);
	/* core.error is terminal: the client forgets the id, so the command must not go on. */
	if (member)
		member->calls->on_abandon(member);
	return incoming_refuse(link_out(&conn->link), in, member != NULL);
}

int dispatch_frame(struct conn *conn, const struct frame *frame)
{
	struct incoming in;
	int r;

	if (frame->id >= CONN_ID_END)
		return -EPROTO;
	r = incoming_open(&in, frame);
	if (r == 0)
		r = dispatch_incoming(conn, &in);
	return r == -EBADMSG ? dispatch_refuse(conn, &in) : r;
}
