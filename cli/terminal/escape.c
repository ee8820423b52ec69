/* Escapes and detach keys: see escape.h. */
#include "escape.h"

#define CTRL_Z 0x1a

/*
 * Whether this key completes the detach keys. They were passed on as they came, so nothing waits
 * for a sequence that never comes; hence a memory of the last few, and not a state.
 */
static bool detaches(struct escape *escape, uint8_t key, uint64_t now_ms)
{
	const struct escape_keys *detach = &escape->detach;
	size_t at;

	if (!detach->len)
		return false;
	at = escape->typed++ % detach->len;
	escape->last[at] = key;
	escape->last_ms[at] = now_ms;
	if (key != detach->keys[detach->len - 1] || escape->typed < detach->len)
		return false;
	for (size_t i = 0; i < detach->len; i++)
		if (escape->last[(escape->typed + i) % detach->len] != detach->keys[i])
			return false;
	if (now_ms - escape->last_ms[escape->typed % detach->len] > ESCAPE_WITHIN_MS)
		return false;
	escape->typed = 0;
	return true;
}

/* What the key means after the escape character. */
static enum escape_action meaning(const struct escape *escape, uint8_t key)
{
	/* Twice it is itself, whichever character was chosen. */
	if (key == escape->character)
		return ESCAPE_NOTHING;
	return key == '.'      ? ESCAPE_END
	       : key == CTRL_Z ? ESCAPE_SUSPEND
	       : key == '?'    ? ESCAPE_HELP
			       : ESCAPE_NOTHING;
}

enum escape_action escape_take(struct escape *escape, uint64_t now_ms, const uint8_t *in,
			       size_t len, uint8_t *out, size_t *ret_taken, size_t *ret_len)
{
	enum escape_action action = ESCAPE_NOTHING;
	size_t taken = 0, kept = 0;

	while (taken < len && !action) {
		uint8_t key = in[taken++];
		bool held = escape->held;

		escape->held = false;
		if (detaches(escape, key, now_ms)) {
			action = ESCAPE_DETACH;
			continue;
		}
		/* Whoever asks for help is still at the beginning of a line. */
		if (held && (action = meaning(escape, key)))
			continue;
		if (!held && !escape->in_line && key == escape->character) {
			escape->held = true;
			continue;
		}
		if (held && key != escape->character)
			out[kept++] = (uint8_t)escape->character;
		escape->in_line = key != '\r' && key != '\n';
		out[kept++] = key;
	}
	*ret_taken = taken;
	*ret_len = kept;
	return action;
}
