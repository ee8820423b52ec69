/* What becomes of each frame: one handler a type, and the answers to what is wrong or not ours to do. */
#include "dispatch.h"

#include <errno.h>

#include "../shared/log.h"

static struct job *job_of(struct conn *conn, uint32_t id)
{
	return job_find(&conn->outlet, id);
}

static struct buf *out_of(struct conn *conn)
{
	return link_out(&conn->link);
}

/* ---- answers ---- */

/* Says why a message was refused, to clients that know core.error, and ends the id for them. */
static void refuse(struct conn *conn, const struct letter *letter, const struct letter_fault *fault)
{
	const struct conn_shared_calls *shared = conn->shared;
	uint32_t id = letter->frame->id;
	struct job *job = job_of(conn, id);

	if (conn_may_say(conn))
		log_info("%s: id %u: %s", conn->name, id, fault->message);
	if (shared && fault->kind != MSG_REFUSAL_UNSUPPORTED_MESSAGE_TYPE)
		shared->on_refused(conn, letter->frame, letter->envelope.type, fault->message);
	/* core.error is terminal: the client forgets the id, so the command must not go on. */
	if (job)
		job_abandon(job);
	if (letter_refuse(out_of(conn), letter, fault, job != NULL) == 0)
		return;
	/* On a stream that many share, one of them cannot be closed. */
	if (shared)
		msg_put_exec_failed(out_of(conn), id, MSG_FAILURE_OTHER, 0, fault->message, NULL);
	else
		conn_give_up(conn);
}

int dispatch_decode(struct conn *conn, const struct letter *letter, void *ret_struct)
{
	struct letter_fault fault;

	if (letter_decode(letter, ret_struct, &fault) == 0)
		return 0;
	refuse(conn, letter, &fault);
	return -EBADMSG;
}

/* ---- one handler a type: 0, or -errno to close the connection ---- */

static int on_request(struct conn *conn, const struct letter *letter)
{
	struct msg_exec_request request;

	if (job_of(conn, letter->frame->id)) {
		if (!conn->shared)
			return -EEXIST;
		/* An answer would end the live one for its client. */
		if (conn_may_say(conn))
			log_warn("%s: id %u is in use; a second request for it is dropped",
				 conn->name, letter->frame->id);
		return 0;
	}
	if (letter->frame->wire_len - FRAME_PREFIX_LEN > conn->host->budget->request) {
		conn->host->jobs->activity++;
		return msg_put_exec_failed(out_of(conn), letter->frame->id,
					   MSG_FAILURE_RESOURCE_LIMIT, 0,
					   "cannot spawn: the request has more text than "
					   "--max-request allows",
					   NULL);
	}
	if (dispatch_decode(conn, letter, &request) == 0)
		job_start(conn->host->jobs, &conn->outlet, letter->frame->id, &request,
			  conn->host->max_jobs);
	return 0;
}

static int on_stdin(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_of(conn, letter->frame->id);
	struct msg_data data;

	if (dispatch_decode(conn, letter, &data) < 0 || !job)
		return 0;
	/* More of that size may be moved, if the link reads their heads alone. */
	if (data.data.len >= CONN_BULK_WORTH && job_can_move_input(job))
		link_read_narrow(&conn->link, MSG_BULK_HEAD_STDIN);
	job_input(job, data.data);
	return 0;
}

static int on_resize(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_of(conn, letter->frame->id);
	struct msg_exec_resize resize;

	if (dispatch_decode(conn, letter, &resize) == 0 && job)
		job_resize(job, &resize);
	return 0;
}

static int on_signal(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_of(conn, letter->frame->id);
	struct msg_exec_signal signal;

	if (dispatch_decode(conn, letter, &signal) == 0 && job)
		job_signal(job, signal.signal);
	return 0;
}

static int on_output_close(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_of(conn, letter->frame->id);
	struct letter_fault fault;
	enum msg_stream stream;

	if (letter_decode_stream(letter, &stream, &fault) < 0)
		refuse(conn, letter, &fault);
	else if (job)
		job_close_output(job, stream);
	return 0;
}

static int on_output_credit(struct conn *conn, const struct letter *letter)
{
	struct job *job = job_of(conn, letter->frame->id);
	struct msg_credit credit;

	if (dispatch_decode(conn, letter, &credit) == 0 && job)
		job_output_credit(job, credit.consumed);
	return 0;
}

static int on_ping(struct conn *conn, const struct letter *letter)
{
	if (dispatch_decode(conn, letter, NULL) < 0)
		return 0;
	return msg_put_empty(out_of(conn), letter->frame->id, MSG_PONG);
}

static int on_touch(struct conn *conn, const struct letter *letter)
{
	if (dispatch_decode(conn, letter, NULL) < 0)
		return 0;
	return msg_put_touched(out_of(conn), letter->frame->id, ++conn->host->jobs->activity);
}

static int on_shutdown(struct conn *conn, const struct letter *letter)
{
	(void)letter;
	if (conn->trusted)
		conn->host->on_shutdown(conn->host);
	else if (conn_may_say(conn))
		log_warn("%s: may not shut down the agent", conn->name);
	return 0;
}

static int on_fs_request(struct conn *conn, const struct letter *letter)
{
	conn->host->jobs->activity++;
	return letter_refuse_fs(out_of(conn), letter->frame->id);
}

static int on_tcp_connect(struct conn *conn, const struct letter *letter)
{
	conn->host->jobs->activity++;
	return letter_refuse_tcp(out_of(conn), letter->frame->id);
}

/* What is for another place (a serial port), another direction, or for nobody any more. */
static int on_ignored(struct conn *conn, const struct letter *letter)
{
	log_debug("%s: %s ignored", conn->name, msg_name(letter->envelope.type));
	return 0;
}

struct handler {
	int (*run)(struct conn *conn, const struct letter *letter);
	bool passive; /* does not count as activity */
};

static const struct handler handlers[MSG_TYPE_COUNT] = {
	[MSG_SHUTDOWN] = {on_shutdown, false},
	[MSG_CLOCK_SYNC] = {on_ignored, true},
	[MSG_PING] = {on_ping, true},
	[MSG_TOUCH] = {on_touch, true},
	[MSG_EXEC_REQUEST] = {on_request, false},
	[MSG_EXEC_STDIN] = {on_stdin, false},
	[MSG_EXEC_RESIZE] = {on_resize, false},
	[MSG_EXEC_SIGNAL] = {on_signal, false},
	[MSG_EXEC_OUTPUT_CLOSE] = {on_output_close, false},
	[MSG_EXEC_OUTPUT_CREDIT] = {on_output_credit, true},
	[MSG_FS_REQUEST] = {on_fs_request, false},
	[MSG_TCP_CONNECT] = {on_tcp_connect, false},
};

int dispatch_frame(struct conn *conn, const struct frame *frame)
{
	const struct handler *handler;
	struct letter_fault fault;
	struct letter letter;
	int r;

	if (!conn->shared && frame->id >= CONN_ID_END)
		return -EPROTO;
	r = letter_open(&letter, frame, &fault);
	if (r == -EBADMSG) {
		refuse(conn, &letter, &fault);
		return 0;
	}
	if (r < 0)
		return conn->shared ? on_ignored(conn, &letter) : r;
	handler = &handlers[letter.envelope.type];
	if (!handler->passive)
		conn->host->jobs->activity++;
	return handler->run ? handler->run(conn, &letter) : on_ignored(conn, &letter);
}
