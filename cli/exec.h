/*
 * One command as msb-exec sees it: the request, the three streams, the signals, and how it ended.
 */
#ifndef MSB_EXEC_H
#define MSB_EXEC_H

#include "../shared/loop.h"
#include "client.h"
#include "escape.h"
#include "look.h"
#include "modes.h"
#include "opts.h"
#include "remote.h"
#include "signals.h"
#include "stream.h"

struct exec {
	struct loop *loop;
	struct client client;
	struct remote remote;		 /* the command */
	void *owner;			 /* of other sessions beside it */
	void (*on_greeted)(void *owner); /* they may be started; may be NULL */
	const struct opts *opts;
	struct stream in, out, err;
	struct stream *body_to; /* where the link's body goes */
	struct look look;	/* what the guest is asked before the command starts */
	bool body_waits;	/* for its reader */
	bool tty;		/* the command gets a pty */
	bool resized;		/* our window may have another size than size */
	bool repaint;		/* to be told even if it is the same */
	bool away;		/* the terminal was somebody else's when we looked */
	struct modes modes;	/* that the command turned on in it */
	struct escape escape;	/* our own keys */
	uint64_t size_end;	/* what the link has sent once it has sent that */
	bool in_terminal;	/* our stdin is one */
	bool input_failed; /* the command did not get all of it, though it would have taken it */
	bool write_failed; /* our own output could not be written, for another reason than EPIPE */
	bool sent;	   /* the request */
	bool finished;	   /* the last frame came: only what is queued is still to be written */
	bool said;	   /* the last line */
	bool in_ended;	   /* stdin: the end of file has been sent, or the command takes no more */
	bool in_plenty;	   /* stdin: so much comes that moving pages pays */
	bool in_newline;   /* the last byte sent was one */
	bool out_closed, err_closed;  /* the agent has been told that nobody reads */
	bool timed_out;		      /* by our own clock, for agents that have none */
	uint32_t forwarded;	      /* a bit for each signal that was */
	bool leaving;		      /* INT, TERM or QUIT was: nobody is waited for any more */
	struct signals_insist insist; /* of INT and TERM */
	int status;		      /* what to exit with */
	int die_of;		      /* or the signal to die of, 0 for none */
	char complaint[1024];	      /* the line to leave with, or empty */
	char hint[ERR_HINT_MAX];      /* and the one after it */
	struct loop_timer timeout, kill_after, background, last_call;
};

/* Connects and runs until the end; then status and die_of say how to leave. */
void exec_run(struct exec *exec, const struct opts *opts, struct loop *loop,
	      struct buf_spare *spare);
void exec_release(struct exec *exec);

/* A failure to leave with, with what to do about it. */
void exec_fail(struct exec *exec, int status, const struct err *err);

/* What came for msb-exec itself. */
void exec_signal(struct exec *exec, const struct loop_signal *signal);

#endif
