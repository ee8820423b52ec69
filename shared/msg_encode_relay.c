/* What a relay says on its own, and what it passes on in an envelope of its own. */
#include <errno.h>
#include <string.h>

#include "msg.h"
#include "msg_draft.h"
#include "msg_wire.h"

#define KEY_MAX 32 /* bytes of CBOR in which a key that we look for fits, however it is written */

int msg_check(struct msg_bytes payload)
{
	struct wire_reader r = {payload.ptr, payload.ptr + payload.len}, again = r;
	struct wire_walk walk;

	return wire_begin_map(&r, &walk) < 0 || wire_skip(&again) < 0 ? -EBADMSG : 0;
}

int msg_put_payload(struct buf *out, uint32_t id, enum msg_type type, struct msg_bytes payload)
{
	struct draft draft;
	int r = draft_begin(&draft, out, payload.len);

	if (r < 0)
		return r;
	wire_put_raw(&draft.w, payload.ptr, payload.len);
	return draft_end(&draft, id, type);
}

/* ---- windows added to a request ---- */

static bool is_key(struct msg_bytes cbor, const char *wanted)
{
	struct wire_reader r, again;
	uint8_t copy[KEY_MAX];
	struct msg_text text;
	struct msg_bytes bytes;

	/* On a copy, since reading a key that comes in pieces changes it. */
	if (cbor.len > sizeof(copy))
		return false;
	memcpy(copy, cbor.ptr, cbor.len);
	r = again = (struct wire_reader){copy, copy + cbor.len};
	if (wire_read_text(&r, &text) < 0) {
		if (wire_read_bytes(&again, &bytes) < 0)
			return false;
		text = (struct msg_text){(const char *)bytes.ptr, bytes.len};
	}
	return text.len == strlen(wanted) && memcmp(text.ptr, wanted, text.len) == 0;
}

/* Whether this pair has to go, since ours comes instead. */
static bool is_replaced(struct msg_bytes key, const struct msg_windows *add)
{
	return (add->input && is_key(key, "stdin_window")) ||
	       (add->output && is_key(key, "output_window"));
}

/* Walks the pairs that stay: counts them, and copies them if there is a writer. */
static int walk_pairs(struct msg_bytes payload, const struct msg_windows *add,
		      struct wire_writer *w, size_t *ret_count)
{
	struct wire_reader r = {payload.ptr, payload.ptr + payload.len};
	struct wire_walk walk;
	size_t count = 0;
	int more;

	if (wire_begin_map(&r, &walk) < 0)
		return -EBADMSG;
	while ((more = wire_next(&r, &walk)) > 0) {
		struct msg_bytes key = {r.at, 0};

		if (wire_skip(&r) < 0)
			return -EBADMSG;
		key.len = (size_t)(r.at - key.ptr);
		if (wire_skip(&r) < 0)
			return -EBADMSG;
		if (is_replaced(key, add))
			continue;
		if (w)
			wire_put_raw(w, key.ptr, (size_t)(r.at - key.ptr));
		count++;
	}
	*ret_count = count;
	return more;
}

int msg_put_request_with(struct buf *out, uint32_t id, struct msg_bytes payload,
			 const struct msg_windows *add)
{
	struct draft draft;
	size_t count;
	int r = walk_pairs(payload, add, NULL, &count);

	if (r == 0)
		r = draft_begin(&draft, out, payload.len + DRAFT_SMALL);
	if (r < 0)
		return r;
	wire_put_map(&draft.w, count + add->input + (add->output != 0));
	walk_pairs(payload, add, &draft.w, &count);
	if (add->input) {
		wire_put_str(&draft.w, "stdin_window");
		wire_put_bool(&draft.w, true);
	}
	if (add->output) {
		wire_put_str(&draft.w, "output_window");
		wire_put_uint(&draft.w, add->output);
	}
	return draft_end(&draft, id, MSG_EXEC_REQUEST);
}

/* ---- the bootstrap ---- */

static void put_given(struct wire_writer *w, const char *key, struct msg_text text)
{
	if (!text.ptr)
		return;
	wire_put_str(w, key);
	wire_put_text(w, text.ptr, text.len);
}

static size_t list_size(const struct msg_list *list)
{
	size_t size = 16;

	for (size_t i = 0; i < list->count; i++)
		size += 32 + strlen(list->strv[i]);
	return size;
}

static void put_env(struct wire_writer *w, const struct msg_list *env)
{
	wire_put_str(w, "default_env");
	wire_put_array(w, env->count);
	for (size_t i = 0; i < env->count; i++) {
		const char *equals = strchrnul(env->strv[i], '=');

		wire_put_map(w, 2);
		wire_put_str(w, "key");
		wire_put_text(w, env->strv[i], (size_t)(equals - env->strv[i]));
		wire_put_str(w, "value");
		wire_put_str(w, *equals ? equals + 1 : equals);
	}
}

static void put_limits(struct wire_writer *w, const struct msg_bootstrap *bootstrap)
{
	wire_put_str(w, "rlimits");
	wire_put_array(w, bootstrap->rlimits.count);
	for (size_t i = 0; i < bootstrap->rlimits.count; i++) {
		const struct msg_rlimit *limit = &bootstrap->limits[i];

		wire_put_map(w, 3);
		put_given(w, "resource", limit->resource);
		wire_put_str(w, "soft");
		wire_put_uint(w, limit->soft);
		wire_put_str(w, "hard");
		wire_put_uint(w, limit->hard);
	}
}

int msg_put_bootstrap(struct buf *out, const struct msg_bootstrap *b)
{
	size_t env = b->default_env.count != 0, limits = b->rlimits.count != 0;
	struct draft draft;
	int r = draft_begin(&draft, out,
			    DRAFT_SMALL + b->user.len + b->security_profile.len +
				    b->default_cwd.len + list_size(&b->default_env) +
				    b->rlimits.count * 64);

	if (r < 0)
		return r;
	wire_put_map(&draft.w, 0u + (b->user.ptr != NULL) + (b->security_profile.ptr != NULL) +
				       (b->default_cwd.ptr != NULL) + env + limits);
	put_given(&draft.w, "user", b->user);
	put_given(&draft.w, "security_profile", b->security_profile);
	put_given(&draft.w, "default_cwd", b->default_cwd);
	if (env)
		put_env(&draft.w, &b->default_env);
	if (limits)
		put_limits(&draft.w, b);
	return draft_end(&draft, 0, MSG_BOOTSTRAP);
}
