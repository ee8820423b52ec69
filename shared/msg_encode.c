/*
 * Encoding: the payload is written behind room for the longest possible head, then the head is
 * put right before it. Definite lengths, shortest heads, keys in the reference's order.
 */
#include <errno.h>
#include <string.h>

#include "err.h"
#include "msg.h"
#include "msg_types.h"
#include "msg_wire.h"

#define TYPE_NAME_MAX 32
/* Frame header, map of 3, "v" and a byte, "t" and a name, "p" and a length. */
#define HEAD_MAX    (FRAME_HEADER_LEN + 1 + 2 + 1 + 2 + 2 + TYPE_NAME_MAX + 2 + 5)
#define SMALL_MAX   256       /* payloads of numbers and fixed words */
#define TEXT_MAX    1024      /* a message for people, cut */
#define DATA_KEYS   6         /* map of 1, "data" */
#define DATA_PREFIX (DATA_KEYS + 5)

/* A frame that is being built at the tail of a queue. */
struct draft {
	struct buf *out;
	uint8_t *space;
	struct wire_writer w;
};

static int begin(struct draft *draft, struct buf *out, size_t payload_max)
{
	int r;

	if (payload_max > FRAME_LEN_MAX)
		return -EMSGSIZE;
	r = buf_reserve(out, HEAD_MAX + payload_max, &draft->space);
	if (r < 0)
		return r;
	draft->out = out;
	draft->w.at = draft->space + HEAD_MAX;
	draft->w.end = draft->w.at + payload_max;
	draft->w.failed = false;
	return 0;
}

/* Writes the frame's header and the envelope's keys to head; returns their length. */
static size_t put_head(uint8_t *head, uint32_t id, enum msg_type type, size_t payload_len)
{
	struct wire_writer w = {head + FRAME_HEADER_LEN, head + HEAD_MAX, false};
	size_t len;

	wire_put_map(&w, 3);
	wire_put_str(&w, "v");
	wire_put_uint(&w, MSG_GENERATION);
	wire_put_str(&w, "t");
	wire_put_str(&w, msg_name(type));
	wire_put_str(&w, "p");
	wire_put_bytes_head(&w, payload_len);
	len = (size_t)(w.at - head);
	frame_put_header(head, id, msg_flags(type), len - FRAME_HEADER_LEN + payload_len);
	return len;
}

static int end(struct draft *draft, uint32_t id, enum msg_type type)
{
	size_t payload_len = (size_t)(draft->w.at - (draft->space + HEAD_MAX));
	uint8_t head[HEAD_MAX];
	size_t head_len;

	if (draft->w.failed) {
		buf_settle(draft->out);
		return -EMSGSIZE;
	}
	head_len = put_head(head, id, type, payload_len);
	if (head_len + payload_len > FRAME_WIRE_MAX) {
		buf_settle(draft->out);
		return -EMSGSIZE;
	}
	memcpy(draft->space + HEAD_MAX - head_len, head, head_len);
	buf_commit_after(draft->out, HEAD_MAX - head_len, head_len + payload_len);
	return 0;
}

static void put_text_or_null(struct wire_writer *w, const char *text)
{
	if (text)
		wire_put_str(w, text);
	else
		wire_put_null(w);
}

/* A message for people, cut at a character's boundary where it is too long. */
static void put_message(struct wire_writer *w, const char *message)
{
	size_t len = strlen(message);

	if (len > TEXT_MAX) {
		len = TEXT_MAX;
		while (len && ((uint8_t)message[len] & 0xc0) == 0x80)
			len--;
	}
	wire_put_text(w, message, len);
}

static void put_errno(struct wire_writer *w, int num)
{
	wire_put_str(w, "errno");
	if (num)
		wire_put_int(w, num);
	else
		wire_put_null(w);
	wire_put_str(w, "errno_name");
	put_text_or_null(w, num ? err_name(num) : NULL);
}

int msg_put_empty(struct buf *out, uint32_t id, enum msg_type type)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 0);
	return end(&draft, id, type);
}

int msg_put_ready(struct buf *out, const struct msg_ready *ready)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX * 2);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 5);
	wire_put_str(&draft.w, "boot_time_ns");
	wire_put_uint(&draft.w, ready->boot_time_ns);
	wire_put_str(&draft.w, "init_time_ns");
	wire_put_uint(&draft.w, ready->init_time_ns);
	wire_put_str(&draft.w, "ready_time_ns");
	wire_put_uint(&draft.w, ready->ready_time_ns);
	wire_put_str(&draft.w, "agent_version");
	wire_put_text(&draft.w, ready->agent_version.ptr, ready->agent_version.len);
	wire_put_str(&draft.w, "exec_features");
	wire_put_array(&draft.w, (size_t)__builtin_popcount(ready->features));
	for (int i = 0; i < MSG_FEATURE_COUNT; i++)
		if (ready->features & 1u << i)
			wire_put_str(&draft.w, msg_feature_names[i]);
	return end(&draft, 0, MSG_READY);
}

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
	return (request->timeout_ms ? 3u : 0u) + (request->has_linger ? 1u : 0u) +
	       (request->on_disconnect.ptr ? 1u : 0u) + (request->login_shell ? 1u : 0u);
}

/* The keys of section 10, each only when it says something. */
static void put_ours(struct wire_writer *w, const struct msg_exec_request *request)
{
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
}

int msg_put_exec_request(struct buf *out, uint32_t id, const struct msg_exec_request *request)
{
	struct draft draft;
	int r = begin(&draft, out,
		      SMALL_MAX * 2 + request->cmd.len + request->cwd.len + request->user.len +
			      list_size(&request->args) + list_size(&request->env) +
			      request->rlimits.count * 64);

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
	return end(&draft, id, MSG_EXEC_REQUEST);
}

/* A frame whose payload is one key with a number. */
static int put_number(struct buf *out, uint32_t id, enum msg_type type, const char *key, int64_t n)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, key);
	wire_put_int(&draft.w, n);
	return end(&draft, id, type);
}

int msg_put_exec_started(struct buf *out, uint32_t id, uint32_t pid)
{
	return put_number(out, id, MSG_EXEC_STARTED, "pid", pid);
}

int msg_put_exec_signal(struct buf *out, uint32_t id, int signal)
{
	return put_number(out, id, MSG_EXEC_SIGNAL, "signal", signal);
}

int msg_put_touched(struct buf *out, uint32_t id, uint64_t activity_seq)
{
	return put_number(out, id, MSG_TOUCHED, "activity_seq", (int64_t)activity_seq);
}

int msg_put_stdin_error(struct buf *out, uint32_t id, int num)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX + TEXT_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 3);
	put_errno(&draft.w, num);
	wire_put_str(&draft.w, "message");
	put_message(&draft.w, strerror(num));
	return end(&draft, id, MSG_EXEC_STDIN_ERROR);
}

static void put_usage(struct wire_writer *w, const struct msg_usage *usage)
{
	wire_put_str(w, "usage");
	wire_put_map(w, 4);
	wire_put_str(w, "user_us");
	wire_put_uint(w, usage->user_us);
	wire_put_str(w, "sys_us");
	wire_put_uint(w, usage->sys_us);
	wire_put_str(w, "wall_us");
	wire_put_uint(w, usage->wall_us);
	wire_put_str(w, "max_rss_kib");
	wire_put_uint(w, usage->max_rss_kib);
}

int msg_put_exec_exited(struct buf *out, uint32_t id, const struct msg_exec_exited *exited)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1u + (exited->signal != 0) + exited->core_dumped +
				       exited->timed_out + exited->has_usage);
	wire_put_str(&draft.w, "code");
	wire_put_int(&draft.w, exited->code);
	if (exited->signal) {
		wire_put_str(&draft.w, "signal");
		wire_put_uint(&draft.w, exited->signal);
	}
	if (exited->core_dumped) {
		wire_put_str(&draft.w, "core_dumped");
		wire_put_bool(&draft.w, true);
	}
	if (exited->timed_out) {
		wire_put_str(&draft.w, "timed_out");
		wire_put_bool(&draft.w, true);
	}
	if (exited->has_usage)
		put_usage(&draft.w, &exited->usage);
	return end(&draft, id, MSG_EXEC_EXITED);
}

int msg_put_exec_failed(struct buf *out, uint32_t id, enum msg_failure kind, int num,
			const char *message, const char *stage)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX + TEXT_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 5);
	wire_put_str(&draft.w, "kind");
	wire_put_str(&draft.w, msg_failure_names[kind]);
	put_errno(&draft.w, num);
	wire_put_str(&draft.w, "message");
	put_message(&draft.w, message);
	wire_put_str(&draft.w, "stage");
	put_text_or_null(&draft.w, stage);
	return end(&draft, id, MSG_EXEC_FAILED);
}

int msg_put_exec_resize(struct buf *out, uint32_t id, uint16_t rows, uint16_t cols)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 2);
	wire_put_str(&draft.w, "rows");
	wire_put_uint(&draft.w, rows);
	wire_put_str(&draft.w, "cols");
	wire_put_uint(&draft.w, cols);
	return end(&draft, id, MSG_EXEC_RESIZE);
}

int msg_put_output_close(struct buf *out, uint32_t id, enum msg_stream stream)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, "stream");
	wire_put_str(&draft.w, msg_stream_names[stream]);
	return end(&draft, id, MSG_EXEC_OUTPUT_CLOSE);
}

int msg_put_error(struct buf *out, uint32_t id, enum msg_refusal kind, const char *message,
		  struct msg_text offending_type)
{
	bool named = offending_type.ptr && offending_type.len <= SMALL_MAX;
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX * 2 + TEXT_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 2u + named);
	wire_put_str(&draft.w, "kind");
	wire_put_str(&draft.w, msg_refusal_names[kind]);
	wire_put_str(&draft.w, "message");
	put_message(&draft.w, message);
	if (named) {
		wire_put_str(&draft.w, "offending_type");
		wire_put_text(&draft.w, offending_type.ptr, offending_type.len);
	}
	return end(&draft, id, MSG_ERROR);
}

int msg_put_fs_refusal(struct buf *out, uint32_t id, const char *message)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX + TEXT_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 3);
	wire_put_str(&draft.w, "ok");
	wire_put_bool(&draft.w, false);
	wire_put_str(&draft.w, "error");
	put_message(&draft.w, message);
	wire_put_str(&draft.w, "data");
	wire_put_null(&draft.w);
	return end(&draft, id, MSG_FS_RESPONSE);
}

int msg_put_tcp_refusal(struct buf *out, uint32_t id, const char *message)
{
	struct draft draft;
	int r = begin(&draft, out, SMALL_MAX + TEXT_MAX);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, "error");
	put_message(&draft.w, message);
	return end(&draft, id, MSG_TCP_FAILED);
}

int msg_data_begin(struct buf *out, size_t max, uint8_t **ret_space)
{
	uint8_t *space;
	int r = buf_reserve(out, HEAD_MAX + DATA_PREFIX + max, &space);

	if (r < 0)
		return r;
	*ret_space = space + HEAD_MAX + DATA_PREFIX;
	return 0;
}

void msg_data_end(struct buf *out, uint32_t id, enum msg_type type, size_t len)
{
	uint8_t *space = out->data + out->tail;
	uint8_t head[HEAD_MAX + DATA_PREFIX], prefix[DATA_PREFIX];
	struct wire_writer w = {prefix, prefix + sizeof(prefix), false};
	size_t head_len, prefix_len;

	wire_put_map(&w, 1);
	wire_put_str(&w, "data");
	wire_put_bytes_head(&w, len);
	prefix_len = (size_t)(w.at - prefix);
	head_len = put_head(head, id, type, prefix_len + len);
	memcpy(head + head_len, prefix, prefix_len);
	head_len += prefix_len;
	memcpy(space + sizeof(head) - head_len, head, head_len);
	buf_commit_after(out, sizeof(head) - head_len, head_len + len);
}
