/* What a client says, in the reference's order of keys; ours come last. */
#include <errno.h>
#include <string.h>

#include "msg.h"
#include "msg_draft.h"
#include "msg_types.h"
#include "msg_wire.h"

/* Of a decoded list the texts do not get longer, since their heads are the shortest. */
static size_t list_size(const struct msg_list *list)
{
	size_t size = 5 + list->cbor.len;

	for (size_t i = 0; list->strv && i < list->count; i++)
		size += 5 + strlen(list->strv[i]);
	return size;
}

static int put_list(struct wire_writer *w, const char *key, const struct msg_list *list)
{
	struct msg_list rest = *list;
	struct msg_text text;

	wire_put_str(w, key);
	wire_put_array(w, list->count);
	for (size_t i = 0; list->strv && i < list->count; i++)
		wire_put_str(w, list->strv[i]);
	if (list->strv)
		return 0;
	while (msg_next_text(&rest, &text) > 0)
		wire_put_text(w, text.ptr, text.len);
	return rest.count ? -EBADMSG : 0;
}

static void put_optional(struct wire_writer *w, const char *key, struct msg_text text)
{
	wire_put_str(w, key);
	if (text.ptr)
		wire_put_text(w, text.ptr, text.len);
	else
		wire_put_null(w);
}

static void put_rlimit(struct wire_writer *w, const struct msg_rlimit *limit)
{
	wire_put_map(w, 3);
	wire_put_str(w, "resource");
	wire_put_text(w, limit->resource.ptr, limit->resource.len);
	wire_put_str(w, "soft");
	wire_put_uint(w, limit->soft);
	wire_put_str(w, "hard");
	wire_put_uint(w, limit->hard);
}

static int put_rlimits(struct wire_writer *w, const struct msg_exec_request *request)
{
	struct msg_list rest = request->rlimits;
	struct msg_rlimit limit;
	int more = 0;

	wire_put_str(w, "rlimits");
	wire_put_array(w, request->rlimits.count);
	for (size_t i = 0; request->limits && i < request->rlimits.count; i++)
		put_rlimit(w, &request->limits[i]);
	while (!request->limits && (more = msg_next_rlimit(&rest, &limit)) > 0)
		put_rlimit(w, &limit);
	return more;
}

static size_t count_ours(const struct msg_exec_request *request)
{
	return (request->xpixel || request->ypixel ? 2u : 0u) + (request->timeout_ms ? 3u : 0u) +
	       (request->has_linger ? 1u : 0u) + (request->on_disconnect.ptr ? 1u : 0u) +
	       (request->login_shell ? 1u : 0u) + (request->stdin_window ? 1u : 0u) +
	       (request->output_window ? 1u : 0u);
}

static void put_pixels(struct wire_writer *w, uint16_t xpixel, uint16_t ypixel)
{
	if (!xpixel && !ypixel)
		return;
	wire_put_str(w, "xpixel");
	wire_put_uint(w, xpixel);
	wire_put_str(w, "ypixel");
	wire_put_uint(w, ypixel);
}

/* The keys of section 10, each only when it says something. */
static void put_ours(struct wire_writer *w, const struct msg_exec_request *request)
{
	put_pixels(w, request->xpixel, request->ypixel);
	if (request->timeout_ms) {
		wire_put_str(w, "timeout_ms");
		wire_put_uint(w, request->timeout_ms);
		wire_put_str(w, "timeout_signal");
		wire_put_int(w, request->timeout_signal);
		wire_put_str(w, "kill_after_ms");
		wire_put_uint(w, request->kill_after_ms);
	}
	if (request->has_linger) {
		wire_put_str(w, "linger_ms");
		wire_put_uint(w, request->linger_ms);
	}
	if (request->on_disconnect.ptr)
		put_optional(w, "on_disconnect", request->on_disconnect);
	if (request->login_shell) {
		wire_put_str(w, "login_shell");
		wire_put_bool(w, true);
	}
	if (request->stdin_window) {
		wire_put_str(w, "stdin_window");
		wire_put_bool(w, true);
	}
	if (request->output_window) {
		wire_put_str(w, "output_window");
		wire_put_uint(w, request->output_window);
	}
}

static int put_request(struct wire_writer *w, const struct msg_exec_request *request)
{
	wire_put_map(w, 9 + count_ours(request));
	wire_put_str(w, "cmd");
	wire_put_text(w, request->cmd.ptr, request->cmd.len);
	if (put_list(w, "args", &request->args) < 0 || put_list(w, "env", &request->env) < 0)
		return -EBADMSG;
	put_optional(w, "cwd", request->cwd);
	put_optional(w, "user", request->user);
	wire_put_str(w, "tty");
	wire_put_bool(w, request->tty);
	wire_put_str(w, "rows");
	wire_put_uint(w, request->rows);
	wire_put_str(w, "cols");
	wire_put_uint(w, request->cols);
	if (put_rlimits(w, request) < 0)
		return -EBADMSG;
	put_ours(w, request);
	return 0;
}

/* Bytes that are enough for the payload, if it fits at all. */
static size_t request_size(const struct msg_exec_request *request)
{
	size_t size = DRAFT_SMALL * 2 + request->cmd.len + request->cwd.len + request->user.len +
		      request->on_disconnect.len + list_size(&request->args) +
		      list_size(&request->env);

	/* Decoded limits get longer where a number was a short float: by less than once more. */
	size += request->limits ? request->rlimits.count * 64 : request->rlimits.cbor.len * 2;
	return size;
}

int msg_put_exec_request(struct buf *out, uint32_t id, const struct msg_exec_request *request)
{
	size_t size = request_size(request);
	struct draft draft;
	int r = draft_begin(&draft, out, size < FRAME_LEN_MAX ? size : FRAME_LEN_MAX);

	if (r < 0)
		return r;
	r = put_request(&draft.w, request);
	if (r < 0) {
		buf_settle(out);
		return r;
	}
	return draft_end(&draft, id, MSG_EXEC_REQUEST);
}

int msg_put_exec_signal(struct buf *out, uint32_t id, int signal)
{
	return draft_number(out, id, MSG_EXEC_SIGNAL, "signal", signal);
}

int msg_put_exec_resize(struct buf *out, uint32_t id, const struct msg_exec_resize *size)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, size->xpixel || size->ypixel ? 4 : 2);
	wire_put_str(&draft.w, "rows");
	wire_put_uint(&draft.w, size->rows);
	wire_put_str(&draft.w, "cols");
	wire_put_uint(&draft.w, size->cols);
	put_pixels(&draft.w, size->xpixel, size->ypixel);
	return draft_end(&draft, id, MSG_EXEC_RESIZE);
}

int msg_put_output_close(struct buf *out, uint32_t id, enum msg_stream stream)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, "stream");
	wire_put_str(&draft.w, msg_stream_names[stream]);
	return draft_end(&draft, id, MSG_EXEC_OUTPUT_CLOSE);
}

int msg_put_client_disconnected(struct buf *out, const struct msg_id_range *range)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 2);
	wire_put_str(&draft.w, "id_start");
	wire_put_uint(&draft.w, range->start);
	wire_put_str(&draft.w, "id_end_exclusive");
	wire_put_uint(&draft.w, range->end);
	return draft_end(&draft, 0, MSG_RELAY_CLIENT_DISCONNECTED);
}
