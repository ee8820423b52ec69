/* Walking a session through events, and what must be given at each. */
#ifndef MSB_UNIT_SESSION_H
#define MSB_UNIT_SESSION_H

#include "daemon/session/session.h"
#include "unit.h"

/* The last frame, and all that follows from it when nobody needs the command any more. */
#define END_OF_ALL (SESSION_SEND_EXITED | SESSION_DISCARD | SESSION_BURY | SESSION_OVER)

struct step {
	enum session_event event;
	uint32_t actions;
};

static inline void walk(struct session *session, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint32_t actions = session_event(session, steps[i].event);

		if (actions != steps[i].actions)
			fail_msg("step %zu, event %d: actions %#x, not %#x", i, steps[i].event,
				 actions, steps[i].actions);
	}
}

#define WALK(session, ...)                                \
	walk(session, (const struct step[]){__VA_ARGS__}, \
	     sizeof((const struct step[]){__VA_ARGS__}) / sizeof(struct step))

/* Tells each event once more: nothing is done twice. */
static inline void assert_nothing_is_left(struct session *session)
{
	for (int event = SESSION_LEADER_ENDED; event <= SESSION_EMPTY; event++) {
		struct session copy = *session;

		if (session_event(&copy, (enum session_event)event) != 0)
			fail_msg("event %d still does something", event);
	}
}

#endif
