/* How long the answer to a signal is waited for: see patience.h. */
#include "patience.h"

#include <signal.h>
#include <stdio.h>

#include "shared/names.h"

#define CTRL_C	       0x03
#define CTRL_BACKSLASH 0x1c

static uint32_t bit(int signal)
{
	return signal > 0 && signal < 32 ? 1u << signal : 0;
}

enum patience_step patience_signal(struct patience *patience, int signal, bool asked, bool dry,
				   uint64_t now_ms)
{
	if (!patience->signal)
		*patience = (struct patience){.signal = signal,
					      .asked = asked,
					      .dry = dry,
					      .since_ms = now_ms,
					      .look_ms = now_ms + PATIENCE_SILENT_MS};
	else if (patience->said && patience->given & bit(signal))
		return PATIENCE_END;
	patience->given |= bit(signal);
	return PATIENCE_WAIT;
}

bool patience_runs(const struct patience *patience)
{
	return patience->signal != 0;
}

void patience_answered(struct patience *patience)
{
	*patience = (struct patience){0};
}

void patience_deaf(struct patience *patience, uint64_t now_ms)
{
	patience->since_ms = now_ms;
}

/*
 * What was sent before the signal may still be on its way from an agent that is long dead, so it
 * only puts off what is said.
 */
void patience_heard(struct patience *patience, uint64_t now_ms)
{
	if (patience->dry && !patience->asked)
		patience_answered(patience);
	else
		patience_deaf(patience, now_ms);
}

enum patience_step patience_look(struct patience *patience, uint64_t now_ms, uint64_t *ret_wait_ms)
{
	enum patience_step step = PATIENCE_WAIT;
	uint64_t late = now_ms > patience->look_ms ? now_ms - patience->look_ms : 0;
	uint64_t silent, more;

	/* So late that we must have been stopped: that time does not count. */
	if (late >= PATIENCE_SILENT_MS) {
		patience->said_ms += late;
		patience_deaf(patience, now_ms);
	}
	silent = now_ms - patience->since_ms;
	if (silent >= PATIENCE_SILENT_MS && !patience->said) {
		step = PATIENCE_SAY;
		patience->said = true;
		patience->said_ms = now_ms;
	}
	more = patience->said ? now_ms - patience->said_ms : 0;
	if (silent < PATIENCE_SILENT_MS)
		*ret_wait_ms = PATIENCE_SILENT_MS - silent;
	else if (more < PATIENCE_MORE_MS)
		*ret_wait_ms = PATIENCE_MORE_MS - more;
	else
		step = PATIENCE_END;
	patience->look_ms = now_ms + *ret_wait_ms;
	return step;
}

int patience_key(const uint8_t *keys, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (keys[i] == CTRL_C)
			return SIGINT;
		if (keys[i] == CTRL_BACKSLASH)
			return SIGQUIT;
	}
	return 0;
}

void patience_words(const struct patience *patience, const char *address, const char *program,
		    char *out, size_t len)
{
	const char *key = patience->signal == SIGINT	? " (Ctrl-C)"
			  : patience->signal == SIGQUIT ? " (Ctrl-\\)"
							: "";
	const char *name = signal_name(patience->signal);

	snprintf(out, len,
		 "%s does not answer; SIG%s%s once more ends %s at once, else it ends in %d s",
		 address, name ? name : "?", key, program, PATIENCE_MORE_MS / 1000);
}
