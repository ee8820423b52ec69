/* The state machine of one command: see session.h. */
#include "session.h"

static bool was_done(const struct session *s, enum session_action action)
{
	return s->done & action;
}

/* Whether the client has had its last frame, or there is none to get it. */
static bool is_told(const struct session *s)
{
	return s->client_gone || was_done(s, SESSION_SEND_EXITED) ||
	       was_done(s, SESSION_SEND_FAILED);
}

/* No more waiting for what a hang-up brings about. */
static void end_ease(struct session *s)
{
	s->asks_late |= s->eased;
	s->eased = false;
}

/* A forced end that nothing may put off: neither --kill-after 0 nor a long --kill-after. */
static void end_now(struct session *s)
{
	end_ease(s);
	s->hasty = s->ending && was_done(s, SESSION_ARM_GRACE) && !s->grace_over;
	s->ending = true;
	s->never_kill = false;
}

/* After a normal end nothing is killed: what the command left running lives on. */
static void lose_client(struct session *s)
{
	bool told = is_told(s);

	s->client_gone = true;
	if (told)
		return;
	s->hung_up = s->on_disconnect == MSG_DISCONNECT_HANGUP;
	if (s->on_disconnect != MSG_DISCONNECT_KILL)
		return;
	s->eased = s->hup_before && !s->hangs_up && !s->ending;
	s->asked = s->hup_before && s->hangs_up;
	if (!s->eased)
		end_now(s);
	s->ending = true;
	s->never_kill = false;
}

static void time_out(struct session *s)
{
	if (is_told(s) && !s->client_gone)
		return;
	end_ease(s);
	s->timed_out = true;
	s->ending = true;
}

/* Whatever the request said of time-outs: this bound is the daemon's. */
static void overrun(struct session *s)
{
	time_out(s);
	if (!s->timed_out)
		return;
	s->overdue = true;
	end_now(s);
}

static void note(struct session *s, enum session_event event)
{
	switch (event) {
	case SESSION_RUNS:
		s->verdict = SESSION_VERDICT_RUNS;
		break;
	case SESSION_FAILED:
		s->verdict = SESSION_VERDICT_FAILED;
		break;
	case SESSION_LEADER_ENDED:
		s->leader_ended = true;
		break;
	case SESSION_OUTPUT_ENDED:
		s->output_ended = true;
		break;
	case SESSION_SILENT:
		s->silent = true;
		break;
	case SESSION_TIMED_OUT:
		time_out(s);
		break;
	case SESSION_OVERDUE:
		overrun(s);
		break;
	case SESSION_CLIENT_GONE:
		lose_client(s);
		break;
	case SESSION_SHUTDOWN:
		s->shutdown = true;
		end_now(s);
		break;
	case SESSION_GRACE_OVER:
		s->grace_over = !s->eased;
		end_ease(s);
		break;
	case SESSION_EMPTY:
		s->empty = true;
		break;
	}
}

/* Nobody, once the leader is buried. */
bool session_is_reaching(const struct session *s)
{
	return s->ending && !s->empty && !s->never_kill && !was_done(s, SESSION_BURY);
}

/* Silence ends the wait for output, but not while a forced end may still free the pipes. */
static bool has_finished(const struct session *s)
{
	return s->verdict == SESSION_VERDICT_RUNS && s->leader_ended &&
	       (s->output_ended || (s->silent && !session_is_reaching(s)));
}

static uint32_t force(const struct session *s)
{
	uint32_t due = s->eased || s->asked ? 0 : SESSION_ASK;

	if (s->never_kill)
		return due;
	due |= SESSION_ARM_GRACE;
	if (s->asks_late)
		due |= SESSION_ARM_AGAIN;
	if (s->hasty)
		due |= SESSION_HASTEN;
	if (s->leader_ended || s->grace_over)
		due |= SESSION_WATCH;
	if (s->grace_over && !s->empty)
		due |= SESSION_KILL;
	return due;
}

/* All that should have been done by now, given the facts. */
static uint32_t derive(const struct session *s)
{
	uint32_t due = 0;

	if (s->verdict == SESSION_VERDICT_RUNS && !s->client_gone)
		due |= SESSION_SEND_STARTED;
	if (s->verdict == SESSION_VERDICT_FAILED && !s->client_gone)
		due |= SESSION_SEND_FAILED;
	if (has_finished(s) && !s->client_gone)
		due |= SESSION_SEND_EXITED;
	if (s->hung_up)
		due |= SESSION_HANG_UP;
	if (s->ending && !was_done(s, SESSION_BURY))
		due |= force(s);
	return due;
}

/* What follows from the other actions: once nobody listens and nobody is signalled any more. */
static uint32_t derive_end(const struct session *s)
{
	uint32_t due = 0;

	if (is_told(s))
		due |= SESSION_DISCARD;
	if (is_told(s) && s->leader_ended && !session_is_reaching(s))
		due |= SESSION_BURY;
	/* Survivors may write on into the void, but the daemon's end does not wait for them. */
	if ((due & SESSION_BURY) && (s->output_ended || s->shutdown))
		due |= SESSION_OVER;
	return due;
}

uint32_t session_event(struct session *session, enum session_event event)
{
	uint32_t before = session->done;

	note(session, event);
	session->done |= derive(session);
	session->done |= derive_end(session);
	return session->done & ~before;
}
