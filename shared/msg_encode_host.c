/* What a client says, in the reference's order of keys; ours come last. */
#include <string.h>

#include "msg.h"
#include "msg_draft.h"
#include "msg_types.h"
#include "msg_wire.h"

static size_t list_size(const struct msg_list *list)
{
	size_t size = 5;

	for (size_t i = 0; i < list->count; i++)
		size += 5 + strlen(list->strv[i]);
	return size;
}

static void put_list(struct wire_writer *w, const char *key, const struct msg_list *list)
{
	wire_put_str(w, key);
	wire_put_array(w, list->count);
	for (size_t i = 0; i < list->count; i++)
		wire_put_str(w, list->strv[i]);
}

static void put_optional(struct wire_writer *w, const char *key, struct msg_text text)
{
	wire_put_str(w, key);
	if (text.ptr)
		wire_put_text(w, text.ptr, text.len);
	else
		wire_put_null(w);
}

static void put_rlimits(struct wire_writer *w, const struct msg_exec_request *request)
{
	wire_put_str(w, "rlimits");
	wire_put_array(w, request->rlimits.count);
	for (size_t i = 0; i < request->rlimits.count; i++) {
		const struct msg_rlimit *limit = &request->limits[i];

		wire_put_map(w, 3);
		wire_put_str(w, "resource");
		wire_put_text(w, limit->resource.ptr, limit->resource.len);
		wire_put_str(w, "soft");
		wire_put_uint(w, limit->soft);
		wire_put_str(w, "hard");
		wire_put_uint(w, limit->hard);
	}
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

int msg_put_exec_request(struct buf *out, uint32_t id, const struct msg_exec_request *request)
{
	struct draft draft;
	int r = draft_begin(&draft, out,
			    DRAFT_SMALL * 2 + request->cmd.len + request->cwd.len +
				    request->user.len + list_size(&request->args) +
				    list_size(&request->env) + request->rlimits.count * 64);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 9 + count_ours(request));
	wire_put_str(&draft.w, "cmd");
	wire_put_text(&draft.w, request->cmd.ptr, request->cmd.len);
	put_list(&draft.w, "args", &request->args);
	put_list(&draft.w, "env", &request->env);
	put_optional(&draft.w, "cwd", request->cwd);
	put_optional(&draft.w, "user", request->user);
	wire_put_str(&draft.w, "tty");
	wire_put_bool(&draft.w, request->tty);
	wire_put_str(&draft.w, "rows");
	wire_put_uint(&draft.w, request->rows);
	wire_put_str(&draft.w, "cols");
	wire_put_uint(&draft.w, request->cols);
	put_rlimits(&draft.w, request);
	put_ours(&draft.w, request);
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
