/* The console, as its commands know it. */
#ifndef MSB_CONSOLE_H
#define MSB_CONSOLE_H

#include "../signals.h"
#include "../stream.h"
#include "commands.h"
#include "complete.h"
#include "copy.h"
#include "guest.h"
#include "prompt.h"

#define CONSOLE "msb-exec-console"

struct console {
	struct loop loop;
	struct buf_spare spare;
	const struct opts *opts;
	struct guest guest;
	struct prompt prompt;
	struct complete complete;
	struct stream in, out, err;
	struct side killer;    /* ends what runs, or jobs; looks for a command's name */
	struct remote program; /* of \tty, on a terminal of its own */
	struct copy copy;      /* of \put and \get */

	bool busy;	 /* a line, or what it led to, is not done */
	bool wants_line; /* the next, as soon as all output is out */
	bool more;	 /* it is of the same command */
	bool greeted;	 /* the first prompt has said what this is */
	bool timing;
	int status;	       /* of the last line */
	struct loop_task turn; /* asks for the next line, once all that came has been heard */
	struct loop_timer keys_due, interrupt_due;
	struct buf ran;	  /* the lines of what runs, for \save */
	struct buf saved; /* what has run */
	char *watched;	  /* owned: the line of \watch, or NULL */
	uint64_t watch_ms;
	struct loop_timer watch_due;
	struct buf *capture; /* where output goes instead of to us, or NULL */
	struct buf captured;
	void (*on_captured)(struct console *console);
	char *argument; /* owned: of the command that waits for that */

	struct modes modes;  /* what was printed has turned on in the terminal */
	unsigned interrupts; /* Ctrl-C in a row */
	uint64_t last_interrupt_ms, last_start_ms;
	bool used; /* the shell has run a line */
	bool finished, said;
	int exit_status, die_of;
	char complaint[1024];
};

/* A line is done, with that status: on to the next. */
void console_done(struct console *console, int status);

/* What ran beside the shell is: the same, or a shell that follows one that was killed is waited for. */
void console_beside_done(struct console *console, int status);

/* Types that for the shell. */
void console_run(struct console *console, const char *text);

/* The same, with its output kept in captured for then(). */
void console_capture(struct console *console, const char *text,
		     void (*then)(struct console *console));

/* What was typed meanwhile is for what runs now. */
void console_give_held(struct console *console);

/* Output for the person, of a terminal or as lines with newlines alone; and a line of our own. */
void console_print(struct console *console, const char *data, size_t len);
void console_print_lines(struct console *console, const char *text, size_t len);
void console_say(struct console *console, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
