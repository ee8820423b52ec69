/* What a relay says on its own, and what it passes on in an envelope of its own. */
#include <errno.h>
#include <string.h>

#include "msg.h"
#include "msg_draft.h"
#include "msg_wire.h"

/* How long the map is that the payload begins with. Whatever its keys say, they are keys. */
static int measure(struct msg_bytes payload, size_t *ret_len)
{
	struct wire_reader r = wire_over(payload);
	struct wire_walk walk;
	int more;

	if (wire_begin_map(&r, &walk) < 0)
		return -EBADMSG;
	while ((more = wire_next(&r, &walk)) > 0)
		if (wire_check_key(&r) < 0 || wire_skip(&r, 0) < 0)
			return -EBADMSG;
	if (more == 0)
		*ret_len = (size_t)(r.at - payload.ptr);
	return more;
}

int msg_check(struct msg_bytes payload)
{
	size_t len;

	return measure(payload, &len);
}

int msg_put_payload(struct buf *out, uint32_t id, enum msg_type type, struct msg_bytes payload)
{
	struct draft draft;
	size_t len;
	int r = measure(payload, &len);

	if (r == 0)
		r = draft_begin(&draft, out, len);
	if (r < 0)
		return r;
	wire_put_raw(&draft.w, payload.ptr, len);
	return draft_end(&draft, id, type);
}

int msg_put_request_with(struct buf *out, uint32_t id, const struct msg_exec_request *request,
			 const struct msg_windows *add)
{
	struct msg_exec_request asked = *request;

	asked.stdin_window |= add->input;
	if (add->output)
		asked.output_window = add->output;
	return msg_put_exec_request(out, id, &asked);
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
