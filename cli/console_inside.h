/*
 * The inside of the console: console.c (its life), console_line.c (its lines), console_peer.c
 * (connections and shells), console_read.c (the prompt), console_script.c (lines without one), console_commands.c
 * (backslash commands), console_complete.c (Tab), console_tty.c (\tty).
 */
#ifndef MSB_CONSOLE_INSIDE_H
#define MSB_CONSOLE_INSIDE_H

#include "console_commands.h"
#include "console_opts.h"
#include "console_shell.h"
#include "console_side.h"
#include "look.h"
#include "signals.h"
#include "stream.h"

#define CONSOLE "msb-exec-console"

/* A connection. Ids are taken in order and never again. */
struct peer {
	struct client client; /* its owner is the console */
	char *address;	      /* owned; NULL: the usual places */
	struct loop_grave grave;
};

/* A program on a terminal of its own: \tty. */
struct program {
	uint32_t id;	 /* 0: none */
	struct buf keys; /* that were typed and may not go yet */
	struct credit input;
	struct credit_account output;
};

struct script {
	struct buf text;      /* lines that have not been run */
	bool at_end;	      /* no more comes */
	bool waits;	      /* the console wants the next line */
	bool may_fail;	      /* the current line began with - */
	unsigned long number; /* of the current line, from 1 */
};

struct console {
	struct loop loop;
	struct buf_spare spare;
	const struct console_opts *opts;
	struct opts guest; /* what shells are started with: \user changes it */
	struct peer *peer; /* owned: whose shell it is */
	struct shell shells[2];
	struct shell *shell;	     /* the one that runs lines; NULL before the first is ready */
	struct shell *candidate;     /* one that is to follow it, or NULL */
	struct look look;	     /* what the guest is asked before a candidate starts */
	struct opts wanted;	     /* what it starts with; borrows all of it */
	struct env_list carried;     /* owned: what \user has that one find in its environment */
	struct peer *candidate_peer; /* the same as peer, or owned */
	char *user, *candidate_user; /* owned: what \user set, and what it is to set */
	struct side check, complete, killer;
	struct program program;
	struct script script;
	bool interactive;
	bool busy;	  /* a line, or what it led to, is not done */
	bool wants_line;  /* the next, as soon as all output is out */
	bool prompting;	  /* readline has the terminal */
	bool asking;	  /* Tab waits for the guest, in the midst of readline */
	bool interrupted; /* meanwhile Ctrl-C came */
	bool timing;
	bool resized;		     /* the guest's terminals are to be told */
	bool at_margin;		     /* the last output ended with a newline */
	bool ran;		     /* the shell has run a line */
	bool asked_exit;	     /* the last line was exit: asked again, the shell must obey */
	bool forwarded;		     /* SIGINT was, to the shell */
	bool out_closed, err_closed; /* the shell has been told that nobody reads */
	bool write_failed;	     /* for another reason */
	struct signals_insist insist;
	bool finished;
	bool said;	     /* the line to leave with */
	char *text;	     /* owned: lines so far that do not make a whole */
	struct buf *capture; /* where output goes instead of to us, or NULL */
	void (*captured)(struct console *console);
	struct buf captured_bytes;
	char *argument; /* owned: of the command that waits for what is captured */
	struct stream in, out, err;
	struct loop_source terminal; /* for readline */
	struct loop_timer keys_due;
	struct buf held; /* keys that were read before what they are for can take them */
	struct loop_timer held_due;
	unsigned interrupts; /* Ctrl-C in a row */
	uint64_t last_interrupt_ms, last_start_ms;
	int status; /* of the last line */
	int exit_status, die_of;
	char complaint[1024];
};

/* ---- console_line.c ---- */

/* Takes a line, from the prompt or a script, with its memory. */
void console_take_line(struct console *console, char *line);

/* Runs that in the shell, whatever was typed. */
void console_run(struct console *console, const char *text);

/* The same, with its output kept in captured_bytes for then(). */
void console_capture(struct console *console, const char *text,
		     void (*then)(struct console *console));

/* A line is done, with that status: on to the next. */
void console_done(struct console *console, int status);

/* What is typed while something runs. */
void console_on_keys(struct stream *stream);

/* What is typed while a line runs, and no prompt is there to edit it. */
void console_take_keys(struct console *console, const char *keys, size_t len);
void console_on_keys_due(struct loop_timer *timer);

/* Keys that were held are for what runs now. */
void console_give_held(struct console *console);
void console_on_killed(struct side *side, int status);

/* ---- console.c ---- */

/* Leaves with that status, and a line to say, or NULL. */
void console_finish(struct console *console, int status, const char *complaint);

/* Leaves at once, by that signal. */
void console_die_of(struct console *console, int signal);

/* Leaves through the shell, with the last line's status. */
void console_leave(struct console *console);

/* Output for the person or the pipe. */
void console_print(struct console *console, enum msg_type stream, const char *data, size_t len);
void console_say(struct console *console, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* That the agent does not answer a signal, and what ends the console. */
void console_say_unanswered(struct console *console, const struct client *client);

/* Asks for the next line, or leaves, once all output is out. */
void console_go_on(struct console *console);

/* ---- console_peer.c ---- */

/* Something changed that every connection's turn derives from: our output, or the window. */
void peers_mark(struct console *console);

/* Whether there is a shell that runs lines: none is before the first, nor after it was killed. */
bool console_has_shell(const struct console *console);

/* An id of the shell's connection that was never used, or 0 if there is none left. */
uint32_t peer_take_id(struct peer *peer);

/* The size of our terminal, as that agent can take it. */
struct msg_exec_resize peer_size(const struct client *client);

/*
 * Starts a shell that is to follow the current one, with these options, which are copied, and on a
 * connection of its own to that address (NULL: the usual places) or on the current one.
 */
void candidate_start(struct console *console, const char *address, bool connect,
		     const struct opts *wanted);
void candidate_drop(struct console *console);
void peers_release(struct console *console);

/* ---- console_read.c ---- */

void read_init(struct console *console);
void read_prompt(struct console *console);
void read_resize(struct console *console);
void read_interrupt(struct console *console);
void read_suspend(struct console *console);
void read_stop(struct console *console);

/* At the prompt, keys that were held are readline's. */
void read_on_held(struct loop_timer *timer);

/* Prints above the line that is being edited. */
void read_above(struct console *console, const char *data, size_t len);

/* ---- console_complete.c ---- */

void complete_init(struct console *console);

/* ---- console_script.c ---- */

/* Where the lines come from, by the options. 0 or -errno with *err filled. */
int script_init(struct console *console, struct err *err);
void script_next(struct console *console);
void script_on_input(struct console *console);

/* ---- console_tty.c ---- */

void program_start(struct console *console);
void program_keys(struct console *console, const char *keys, size_t len);
void program_release(struct console *console);
void program_resize(struct console *console, const struct msg_exec_resize *size);
void program_on_frame(struct console *console, const struct msg_envelope *envelope);
void program_on_turn(struct console *console);

/* Reads K=V entries, each ended by NUL, as they came through a terminal. */
void environ_read(struct console *console, struct env_list *list);

#endif
