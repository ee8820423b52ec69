/*
 * One command as msb-exec sees it: the connection, the three streams, the terminal, the signals, and how it
 * ended.
 */
#ifndef MSB_EXEC_H
#define MSB_EXEC_H

#include "body.h"
#include "cli/client/client.h"
#include "cli/client/look.h"
#include "cli/client/remote.h"
#include "cli/report/output.h"
#include "cli/report/reason.h"
#include "cli/report/report.h"
#include "cli/terminal/signals.h"
#include "cli/terminal/stream.h"
#include "input.h"
#include "keep.h"
#include "shared/modes.h"

enum exec_state {
	EXEC_REACHING, /* the command has not been asked for */
	EXEC_RUNNING,
	EXEC_LEAVING, /* INT, TERM or QUIT went to it: our readers are not waited for any more */
	EXEC_AWAY,    /* the connection is lost, and tried again for a command that goes on */
	EXEC_OVER,    /* only what is queued for our readers is still to be written, */
	EXEC_SAID,    /* and the last line to leave with is among it */
};

/* What the agent knows of our window. */
enum exec_window {
	EXEC_WINDOW_TOLD,
	EXEC_WINDOW_MAY_DIFFER,
	EXEC_WINDOW_REPAINT, /* it is to be told even if it is the same */
};

struct exec {
	struct loop *loop;
	const struct opts *opts;
	enum exec_state state;
	struct client client;
	struct look look;     /* what the guest is asked before the command starts */
	struct remote remote; /* the command */
	struct keep keep;     /* the same as a session that is kept, if it is */
	bool detach_due;      /* it is to be left */
	struct exec_input in;
	struct stream out, err;
	struct report_output output; /* what becomes of what the command writes */
	struct exec_body body;	     /* of the frame that is moved to one of them */
	bool tty;		     /* the command gets a pty */
	bool in_terminal;	     /* our stdin is one */
	struct modes modes;	     /* that the command turned on in it */
	enum exec_window window;
	uint64_t window_end;	      /* what the link has sent once it has sent its size */
	bool write_failed;	      /* our output went nowhere, for another reason than EPIPE */
	unsigned closed;	      /* a bit for each enum msg_stream of which it was told */
	bool timed_out;		      /* by our own clock, for agents that have none */
	uint32_t forwarded;	      /* a bit for each signal that was, */
	uint32_t owed;		      /* and that could not be yet */
	struct signals_insist insist; /* of INT and TERM */
	struct loop_timer timeout, kill_after, last_call;

	int status;		       /* what to exit with */
	int die_of;		       /* or the signal to die of, 0 for none */
	enum reason reason;	       /* why */
	bool has_exited;	       /* the command's end is known: */
	struct msg_exec_exited exited; /* without pointers */
	char complaint[1024];	       /* the line to leave with, or empty, */
	char said[256];		       /* and one that was said before that */
	char hint[ERR_HINT_MAX];       /* and the one after it */
	bool answers_keys;	       /* of the person at the terminal, who is to see it */

	/* Whoever has other sessions beside it, which may be started then; may be NULL. */
	void *owner;
	void (*on_greeted)(void *owner);

	/* What programs are told of all. Last: its line is pages long, and few commands touch them. */
	struct report report;
};

/* Connects and runs until the end; then status and die_of say how to leave. */
void exec_run(struct exec *exec, const struct opts *opts, struct loop *loop,
	      struct buf_spare *spare);
void exec_release(struct exec *exec);

/* A failure to leave with, with what to do about it. */
void exec_fail(struct exec *exec, enum reason reason, int status, const struct err *err);

/* What came for msb-exec itself. */
void exec_signal(struct exec *exec, const struct loop_signal *signal);

#endif
