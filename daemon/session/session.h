/*
 * The state machine of one command: facts in, actions out, no system call. Whoever owns it
 * reports what has happened, as events, and carries out the actions it gets back.
 *
 *	starting --RUNS--> running --LEADER_ENDED--> draining --all read, or silent--> done
 *	    \--FAILED--> done
 *
 * started or failed comes first, exited last and once. A forced end runs beside this: ASK, a
 * grace, KILL until no process of the session lives, even if exited has gone out before.
 */
#ifndef MSB_SESSION_H
#define MSB_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/wire/msg.h"

enum session_event {
	SESSION_RUNS,	      /* the verdict: the command runs */
	SESSION_FAILED,	      /* the verdict: it never will */
	SESSION_LEADER_ENDED, /* and is a zombie */
	SESSION_OUTPUT_ENDED, /* end of file on all output */
	SESSION_SILENT,	      /* nothing came for the linger time after the leader's end */
	SESSION_TIMED_OUT,    /* by the request's clock */
	SESSION_OVERDUE,      /* by the daemon's own, which nothing of the request may put off */
	SESSION_CLIENT_GONE,
	SESSION_SHUTDOWN,   /* end it by force */
	SESSION_GRACE_OVER, /* after ARM_GRACE */
	SESSION_EMPTY,	    /* after WATCH: no process of it lives */
};

enum session_action {
	SESSION_SEND_STARTED = 1 << 0,
	SESSION_SEND_FAILED = 1 << 1,
	SESSION_SEND_EXITED = 1 << 2,
	SESSION_ASK = 1 << 3,	    /* signal its group to end: TERM, or what the time-out says */
	SESSION_HANG_UP = 1 << 4,   /* SIGHUP and no more */
	SESSION_ARM_GRACE = 1 << 5, /* from the ASK to the KILL */
	SESSION_WATCH = 1 << 6,	    /* find out when no process of it lives */
	SESSION_KILL = 1 << 7,	    /* kill all of it until then */
	SESSION_DISCARD = 1 << 8,   /* what it still writes goes nowhere */
	SESSION_BURY = 1 << 9,	    /* nobody will signal it again: reap the leader */
	SESSION_HASTEN = 1 << 10, /* the grace that was armed is now no longer than the usual one */
	SESSION_OVER = 1 << 11,	  /* free everything */
	SESSION_ARM_AGAIN = 1 << 12, /* the grace anew: it was not asked by us before */
};

enum session_verdict { SESSION_VERDICT_NONE, SESSION_VERDICT_RUNS, SESSION_VERDICT_FAILED };

struct session {
	enum msg_on_disconnect on_disconnect;
	bool never_kill; /* kill_after_ms is 0: a time-out only asks */
	bool hangs_up;	 /* ASK is a SIGHUP: the command has a terminal */

	/* Facts. */
	enum session_verdict verdict;
	bool leader_ended, output_ended, silent, timed_out, client_gone;
	bool overdue;	 /* and timed_out */
	bool hung_up;	 /* the client that is gone wanted just that */
	bool ending;	 /* by force */
	bool shutdown;	 /* because the daemon ends */
	bool hup_before; /* the client passed on a SIGHUP, and was gone */
	bool asked;	 /* and in a terminal that is all that is asked */
	bool eased;	 /* or asking enough for one grace; then comes ours */
	bool asks_late;	 /* and did */
	bool hasty;	 /* another forced end came while a time-out's longer grace was running */
	bool grace_over, empty;

	uint32_t done; /* the actions given so far, each at most once */
};

/*
 * Whether a forced end still has somebody to reach: until it has not, silence ends nothing, since
 * it may still free the pipes.
 */
bool session_is_reaching(const struct session *session);

/* Takes in one event and returns the actions that follow from it: enum session_action. */
uint32_t session_event(struct session *session, enum session_event event);

#endif
