/* What an agent says, in the reference's order of keys; ours come last. */
#include <string.h>

#include "msg.h"
#include "msg_draft.h"
#include "msg_types.h"
#include "msg_wire.h"
#include "names.h"
#include "utf8.h"

static void put_text_or_null(struct wire_writer *w, const char *text)
{
	if (text)
		wire_put_str(w, text);
	else
		wire_put_null(w);
}

/* A message for people, cut where it is too long. What it quotes may have been cut before. */
static void put_message(struct wire_writer *w, const char *message)
{
	char text[DRAFT_TEXT];
	size_t len = strnlen(message, sizeof(text));

	while (message[len] && len && ((uint8_t)message[len] & 0xc0) == 0x80)
		len--;
	memcpy(text, message, len);
	utf8_scrub(text, len);
	wire_put_text(w, text, len);
}

static void put_errno(struct wire_writer *w, int num)
{
	wire_put_str(w, "errno");
	if (num)
		wire_put_int(w, num);
	else
		wire_put_null(w);
	wire_put_str(w, "errno_name");
	put_text_or_null(w, num ? errno_name(num) : NULL);
}

int msg_put_ready(struct buf *out, const struct msg_ready *ready)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL * 2);

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
	return draft_end(&draft, 0, MSG_READY);
}

int msg_put_init_resolved(struct buf *out, const struct msg_init_resolved *resolved)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, "default_user");
	wire_put_map(&draft.w, 2);
	wire_put_str(&draft.w, "uid");
	wire_put_uint(&draft.w, resolved->default_user.uid);
	wire_put_str(&draft.w, "gid");
	wire_put_uint(&draft.w, resolved->default_user.gid);
	return draft_end(&draft, 0, MSG_INIT_RESOLVED);
}

int msg_put_exec_started(struct buf *out, uint32_t id, const struct msg_exec_started *started)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, started->stdin_window ? 2 : 1);
	wire_put_str(&draft.w, "pid");
	wire_put_uint(&draft.w, started->pid);
	if (started->stdin_window) {
		wire_put_str(&draft.w, "stdin_window");
		wire_put_uint(&draft.w, started->stdin_window);
	}
	return draft_end(&draft, id, MSG_EXEC_STARTED);
}

int msg_put_touched(struct buf *out, uint32_t id, uint64_t activity_seq)
{
	return draft_number(out, id, MSG_TOUCHED, "activity_seq", (int64_t)activity_seq);
}

int msg_put_stdin_error(struct buf *out, uint32_t id, int num)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL + DRAFT_TEXT);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 3);
	put_errno(&draft.w, num);
	wire_put_str(&draft.w, "message");
	put_message(&draft.w, strerror(num));
	return draft_end(&draft, id, MSG_EXEC_STDIN_ERROR);
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
	int r = draft_begin(&draft, out, DRAFT_SMALL);

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
	return draft_end(&draft, id, MSG_EXEC_EXITED);
}

int msg_put_exec_failed(struct buf *out, uint32_t id, enum msg_failure kind, int num,
			const char *message, const char *stage)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL + DRAFT_TEXT);

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
	return draft_end(&draft, id, MSG_EXEC_FAILED);
}

int msg_put_error(struct buf *out, uint32_t id, enum msg_refusal kind, const char *message,
		  struct msg_text offending_type)
{
	bool named = offending_type.ptr && offending_type.len <= DRAFT_SMALL;
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL * 2 + DRAFT_TEXT);

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
	return draft_end(&draft, id, MSG_ERROR);
}

int msg_put_fs_refusal(struct buf *out, uint32_t id, const char *message)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL + DRAFT_TEXT);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 3);
	wire_put_str(&draft.w, "ok");
	wire_put_bool(&draft.w, false);
	wire_put_str(&draft.w, "error");
	put_message(&draft.w, message);
	wire_put_str(&draft.w, "data");
	wire_put_null(&draft.w);
	return draft_end(&draft, id, MSG_FS_RESPONSE);
}

int msg_put_tcp_refusal(struct buf *out, uint32_t id, const char *message)
{
	struct draft draft;
	int r = draft_begin(&draft, out, DRAFT_SMALL + DRAFT_TEXT);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 1);
	wire_put_str(&draft.w, "error");
	put_message(&draft.w, message);
	return draft_end(&draft, id, MSG_TCP_FAILED);
}
