/* What becomes of a client's frames: see dispatch.h. */
#include "dispatch.h"

#include <errno.h>

#include "shared/base.h"
#include "shared/log.h"

static struct dispatch *dispatch_of(const struct conn *conn)
{
	return container_of(conn->host, struct dispatch, conns);
}

/* ---- what goes to the job of its id, decoded ---- */

union payload {
	struct msg_data data;
	struct msg_exec_resize resize;
	struct msg_exec_signal signal;
	struct msg_credit credit;
};

static void on_stdin(struct conn *conn, struct job *job, const union payload *payload)
{
	struct msg_bytes data = payload->data.data;

	/* More of that size may be moved, if the link reads their heads alone. */
	if (data.len >= CONN_BULK_MIN && job_can_move_input(job))
		link_limit_readahead(&conn->link, MSG_BULK_HEAD_STDIN);
	job_input(job, data);
}

static void on_resize(struct conn *conn, struct job *job, const union payload *payload)
{
	(void)conn;
	job_resize(job, &payload->resize);
}

static void on_signal(struct conn *conn, struct job *job, const union payload *payload)
{
	(void)conn;
	job_signal(job, payload->signal.signal);
}

static void on_output_credit(struct conn *conn, struct job *job, const union payload *payload)
{
	(void)conn;
	job_output_credit(job, payload->credit.consumed);
}

/* ---- the others: as dispatch_incoming() ---- */

static int on_request(struct conn *conn, struct incoming *in)
{
	uint32_t id = in->frame->id;
	struct msg_exec_request request;
	int r;

	if (job_find(&conn->outlet, id))
		return -EEXIST;
	if (in->frame->wire_len - FRAME_PREFIX_LEN > conn->host->budget->request) {
		conn->host->jobs->activity++;
		return msg_put_exec_failed(link_out(&conn->link), id, MSG_FAILURE_RESOURCE_LIMIT, 0,
					   "cannot spawn: the request has more text than "
					   "--max-request allows",
					   NULL);
	}
	r = incoming_decode(in, &request);
	if (r == 0)
		job_start(conn->host->jobs, &conn->outlet, id, &request,
			  dispatch_of(conn)->max_jobs);
	return r;
}

static int on_output_close(struct conn *conn, struct incoming *in)
{
	struct job *job = job_find(&conn->outlet, in->frame->id);
	enum msg_stream stream;
	int r = incoming_decode_stream(in, &stream);

	if (r == 0 && job)
		job_close_output(job, stream);
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
	else if (conn_may_say(conn))
		log_warn("%s: may not shut down the agent", conn->name);
	return 0;
}

/* With none of the three: for another place (a serial port), another direction, or for nobody. */
struct handler {
	bool passive; /* does not count as activity */
	void (*run_job)(struct conn *conn, struct job *job, const union payload *payload);
	int (*run)(struct conn *conn, struct incoming *in);
	int (*answer)(struct buf *out, uint32_t id); /* counts as two */
};

static const struct handler handlers[MSG_TYPE_COUNT] = {
	[MSG_SHUTDOWN] = {.run = on_shutdown},
	[MSG_CLOCK_SYNC] = {.passive = true},
	[MSG_PING] = {.passive = true, .run = on_ping},
	[MSG_TOUCH] = {.passive = true, .run = on_touch},
	[MSG_EXEC_REQUEST] = {.run = on_request},
	[MSG_EXEC_STDIN] = {.run_job = on_stdin},
	[MSG_EXEC_RESIZE] = {.run_job = on_resize},
	[MSG_EXEC_SIGNAL] = {.run_job = on_signal},
	[MSG_EXEC_OUTPUT_CLOSE] = {.run = on_output_close},
	[MSG_EXEC_OUTPUT_CREDIT] = {.passive = true, .run_job = on_output_credit},
	[MSG_FS_REQUEST] = {.answer = incoming_refuse_fs},
	[MSG_TCP_CONNECT] = {.answer = incoming_refuse_tcp},
};

int dispatch_incoming(struct conn *conn, struct incoming *in)
{
	const struct handler *handler = &handlers[in->envelope.type];
	struct job *job = job_find(&conn->outlet, in->frame->id);
	union payload payload;
	int r;

	conn->host->jobs->activity += handler->answer ? 2 : !handler->passive;
	if (handler->answer)
		return handler->answer(link_out(&conn->link), in->frame->id);
	if (handler->run)
		return handler->run(conn, in);
	if (!handler->run_job) {
		log_debug("%s: %s ignored", conn->name, msg_name(in->envelope.type));
		return 0;
	}
	r = incoming_decode(in, &payload);
	if (r == 0 && job)
		handler->run_job(conn, job, &payload);
	return r;
}

int dispatch_refuse(struct conn *conn, const struct incoming *in)
{
	uint32_t id = in->frame->id;
	struct job *job = job_find(&conn->outlet, id);

	if (conn_may_say(conn))
		log_info("%s: id %u: %s", conn->name, id, in->why);
	/* core.error is terminal: the client forgets the id, so the command must not go on. */
	if (job)
		job_abandon(job);
	return incoming_refuse(link_out(&conn->link), in, job != NULL);
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
