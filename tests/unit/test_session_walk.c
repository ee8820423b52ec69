/*
 * The state machine of one command on 100,000 random courses: whatever happens in whatever order
 * the world allows, what must never happen does not, and what must happen in the end does.
 */
#include "daemon/session/session.h"

#include "unit.h"

#define WALKS	100000
#define STEPS	40
#define SIGNALS (SESSION_ASK | SESSION_HANG_UP | SESSION_ARM_GRACE | SESSION_WATCH | SESSION_KILL)

/* What has happened, noted apart from the machine that is tested. */
struct world {
	struct session session;
	bool never_kill;
	uint32_t happened; /* a bit for each event */
	uint32_t given;	   /* actions so far */
	bool silent;	   /* SILENT came after the leader's end */
	bool forced;	   /* by shutdown or a lost client: KILL follows, if need be */
	bool may_ask;	   /* there was a reason to end it by force */
	unsigned walk;
};

static bool has(const struct world *w, enum session_event event)
{
	return w->happened & 1u << event;
}

/* Whether the world allows this event now. */
static bool is_possible(const struct world *w, enum session_event event)
{
	switch (event) {
	case SESSION_RUNS:
	case SESSION_FAILED:
		return !has(w, SESSION_RUNS) && !has(w, SESSION_FAILED);
	case SESSION_LEADER_ENDED:
	case SESSION_OUTPUT_ENDED:
		return !has(w, event);
	case SESSION_SILENT:
		return has(w, SESSION_LEADER_ENDED) && !has(w, SESSION_OUTPUT_ENDED);
	case SESSION_GRACE_OVER:
		return (w->given & SESSION_ARM_GRACE) && !has(w, event);
	case SESSION_EMPTY:
		return (w->given & SESSION_WATCH) && has(w, SESSION_LEADER_ENDED) && !has(w, event);
	default:
		return true;
	}
}

#define MUST(w, condition)                                              \
	do {                                                            \
		if (!(condition))                                       \
			fail_msg("walk %u: %s", (w)->walk, #condition); \
	} while (0)

static void check_frames(const struct world *w, uint32_t actions)
{
	uint32_t all = w->given | actions;

	if (actions & SESSION_SEND_STARTED)
		MUST(w, has(w, SESSION_RUNS) && !has(w, SESSION_CLIENT_GONE));
	if (actions & SESSION_SEND_FAILED)
		MUST(w, has(w, SESSION_FAILED) && !has(w, SESSION_CLIENT_GONE));
	if (actions & SESSION_SEND_EXITED) {
		MUST(w, !has(w, SESSION_CLIENT_GONE));
		MUST(w, all & SESSION_SEND_STARTED);
		MUST(w, has(w, SESSION_LEADER_ENDED));
		MUST(w, has(w, SESSION_OUTPUT_ENDED) || w->silent);
	}
	MUST(w, !(all & SESSION_SEND_FAILED) || !(all & SESSION_SEND_STARTED));
	if (actions & SESSION_DISCARD)
		MUST(w, has(w, SESSION_CLIENT_GONE) ||
				all & (SESSION_SEND_EXITED | SESSION_SEND_FAILED));
}

static void check_signals(const struct world *w, uint32_t actions)
{
	if (w->given & SESSION_BURY)
		MUST(w, !(actions & SIGNALS));
	if (actions & (SESSION_ASK | SESSION_ARM_GRACE | SESSION_WATCH))
		MUST(w, w->may_ask);
	if (actions & SESSION_HANG_UP)
		MUST(w, has(w, SESSION_CLIENT_GONE) &&
				w->session.on_disconnect == MSG_DISCONNECT_HANGUP);
	if (actions & SESSION_KILL) {
		MUST(w, w->given & SESSION_ASK);
		MUST(w, has(w, SESSION_GRACE_OVER) && !has(w, SESSION_EMPTY));
		MUST(w, !w->never_kill || w->forced);
	}
	if (actions & SESSION_BURY)
		MUST(w, has(w, SESSION_LEADER_ENDED));
	if (actions & SESSION_OVER)
		MUST(w, (w->given | actions) & SESSION_BURY);
	/* A forced end takes its course unless all was buried before. */
	if (w->forced && !(w->given & SESSION_BURY)) {
		MUST(w, (w->given | actions) & SESSION_ASK);
		MUST(w, (w->given | actions) & SESSION_ARM_GRACE);
		if (has(w, SESSION_GRACE_OVER) && !has(w, SESSION_EMPTY))
			MUST(w, (w->given | actions) & SESSION_KILL);
	}
}

static void happen(struct world *w, enum session_event event)
{
	bool told = w->given & (SESSION_SEND_EXITED | SESSION_SEND_FAILED);
	uint32_t actions;

	if (event == SESSION_SHUTDOWN || (event == SESSION_CLIENT_GONE && !told && !has(w, event) &&
					  w->session.on_disconnect == MSG_DISCONNECT_KILL))
		w->forced = w->may_ask = true;
	if (event == SESSION_TIMED_OUT || event == SESSION_OVERDUE)
		w->may_ask = true;
	w->silent |= event == SESSION_SILENT;
	w->happened |= 1u << event;
	actions = session_event(&w->session, event);
	w->forced |= w->session.overdue;
	MUST(w, !(actions & w->given));
	check_frames(w, actions);
	check_signals(w, actions);
	w->given |= actions;
}

/* What the world owes: a verdict, an end of the leader and its output, a clock, an answer. */
static void come_to_the_end(struct world *w, uint64_t *seed)
{
	static const enum session_event owed[] = {SESSION_RUNS,		SESSION_FAILED,
						  SESSION_LEADER_ENDED, SESSION_OUTPUT_ENDED,
						  SESSION_GRACE_OVER,	SESSION_EMPTY};
	uint32_t first = unit_below(seed, UNIT_COUNT(owed));

	for (uint32_t i = 0; i < 3 * UNIT_COUNT(owed) && !(w->given & SESSION_OVER); i++) {
		enum session_event event = owed[(first + i) % UNIT_COUNT(owed)];

		if (is_possible(w, event))
			happen(w, event);
	}
	MUST(w, w->given & SESSION_OVER);
	if (!has(w, SESSION_CLIENT_GONE))
		MUST(w, w->given & (SESSION_SEND_EXITED | SESSION_SEND_FAILED));
}

static void walk_at_random(uint64_t *seed, unsigned walk, uint32_t *given)
{
	struct world w = {.walk = walk, .never_kill = unit_below(seed, 4) == 0};

	w.session.never_kill = w.never_kill;
	w.session.on_disconnect = (enum msg_on_disconnect)unit_below(seed, 3);
	for (uint32_t steps = unit_below(seed, STEPS); steps; steps--) {
		enum session_event event = (enum session_event)unit_below(seed, SESSION_EMPTY + 1);
		bool rare = event == SESSION_SHUTDOWN || event == SESSION_CLIENT_GONE ||
			    event == SESSION_TIMED_OUT || event == SESSION_OVERDUE ||
			    event == SESSION_FAILED;

		if (!is_possible(&w, event) || (rare && unit_below(seed, 6)))
			continue;
		happen(&w, event);
		if (w.given & SESSION_OVER)
			break;
	}
	if (!(w.given & SESSION_OVER))
		come_to_the_end(&w, seed);
	*given |= w.given;
}

static void random_courses_break_no_rule(void **state)
{
	uint64_t seed = 1;
	uint32_t given = 0;

	(void)state;
	for (unsigned walk = 0; walk < WALKS; walk++)
		walk_at_random(&seed, walk, &given);
	/* All actions were seen, or these walks go nowhere. */
	assert_int_equal(given, (SESSION_OVER << 1) - 1);
}

int main(void)
{
	const struct CMUnitTest session_walk_tests[] = {
		cmocka_unit_test(random_courses_break_no_rule),
	};

	return cmocka_run_group_tests(session_walk_tests, NULL, NULL);
}
