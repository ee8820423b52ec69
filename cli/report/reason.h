/* Why it is over, as programs are told: a closed list, which is in the manual. */
#ifndef MSB_EXEC_REASON_H
#define MSB_EXEC_REASON_H

enum reason {
	/* The command's end is known: */
	REASON_EXITED,
	REASON_SIGNAL,
	REASON_TIMEOUT,
	REASON_OOM,
	/* It may be: */
	REASON_CANCELLED, /* who runs msb-exec wanted it to end */
	/* It is not: */
	REASON_DETACHED,    /* the session was left, or given to somebody else */
	REASON_UNREACHABLE, /* no agent was */
	REASON_LOST,	    /* the connection, or the agent */
	REASON_NOT_FOUND,
	REASON_NOT_EXECUTABLE,
	REASON_BAD_CWD,
	REASON_BAD_USER,
	REASON_BAD_ARGS,
	REASON_REFUSED, /* the agent would not */
	REASON_NO_SESSION,
	REASON_USAGE, /* our command line */
	REASON_IO,    /* our own input or output */
	REASON_ERROR, /* all else */
};

/* Static. */
const char *reason_name(enum reason reason);

#endif
