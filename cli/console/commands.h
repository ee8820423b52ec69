/*
 * The console's backslash commands: one table gives matching, help and completion. And those that run, of
 * which \watch, \tty, \put and \get take their time; there is one at a time.
 */
#ifndef MSB_CONSOLE_COMMANDS_H
#define MSB_CONSOLE_COMMANDS_H

#include <stdio.h>

#include "copy.h"
#include "guest.h"
#include "output.h"
#include "record.h"

struct commands {
	struct guest *guest; /* not owned, as what follows */
	struct output *output;
	const struct record *record;
	void *owner;
	void (*type_line)(void *owner, const char *line); /* for the shell */
	void (*on_done)(void *owner, int status);	  /* a command is */
	void (*leave)(void *owner, int status);		  /* without the shell's word */

	bool timing;	 /* how long a line took is to be said */
	int last_status; /* before the command that runs */
	char *watched;	 /* owned: the line of \watch, or NULL */
	uint64_t watch_ms;
	struct loop_timer watch_due;
	struct side side;      /* ends jobs; looks for a command's name */
	struct remote program; /* of \tty, on a terminal of its own */
	struct copy copy;      /* of \put and \get */
	char *argument;	       /* owned: of the command that waits */
	struct buf captured;   /* what the shell exports, for then() */
	int (*then)(struct commands *commands);
};

/* What it can do nothing without. */
enum command_needs {
	COMMAND_ALONE,
	COMMAND_SHELL, /* which may have no connection just now */
	COMMAND_GUEST,
};

enum command_argument {
	COMMAND_NONE,
	COMMAND_FOLDER,	    /* of the guest */
	COMMAND_FILE,	    /* the same */
	COMMAND_LOCAL_FILE, /* of the host */
	COMMAND_USER,
	COMMAND_SIGNAL,
	COMMAND_SWITCH, /* on or off */
	COMMAND_LINE,	/* a command of the guest */
	COMMAND_LOCAL_LINE,
	COMMAND_ADDRESS,
	COMMAND_VARIABLE,
};

struct command {
	const char *name; /* with its backslash */
	const char *arg;  /* what its argument is called in the help, or NULL */
	const char *help;
	enum command_argument argument;
	enum command_needs needs;
	/* Does it: its status, or -1 where on_done gets that, now or later. argument may be empty. */
	int (*run)(struct commands *commands, const char *argument);
};

extern const struct command commands_table[];
extern const unsigned commands_count;

/*
 * The command that a line is, or NULL for one that is the shell's: the name is matched as a whole
 * word, so that \ls is the shell's.
 */
const struct command *commands_find(const char *line);

/* Runs it, with the rest of that line; on_done is called now or later. last_status: before it. */
void commands_run(struct commands *commands, const struct command *command, const char *line,
		  int last_status);

/*
 * Whether the line's first word may have been meant for one of ours. Then the guest is asked whether it has a
 * command of that name, whose the line is; else on_done is called.
 */
bool commands_ask(struct commands *commands, const char *line);

/* No more is waited for what the guest is asked; a file that is not whole by now never will be. */
void commands_cancel(struct commands *commands);

/* The connection is lost: so is what goes by it. */
void commands_lose(struct commands *commands);

/* A line of the shell is done whose output was kept: what it was for goes on. */
void commands_go_on(struct commands *commands);

/* Whether one runs beside the shell, which has the keys, whatever becomes of the shell. */
static inline bool commands_beside(const struct commands *commands)
{
	return remote_runs(&commands->program) || copy_runs(&commands->copy);
}

/* Keys for a program of \tty, and Ctrl-C for a file on its way: false if there is none. */
bool commands_keys(struct commands *commands, const char *keys, size_t len);
bool commands_interrupt(struct commands *commands);

/* Whether a line is to run again in its time, once it is done. */
static inline bool commands_is_watching(const struct commands *commands)
{
	return commands->watched != NULL;
}
void commands_watch_again(struct commands *commands);
void commands_end_watch(struct commands *commands);

/* Bytes that the host's file has not taken yet. */
static inline size_t commands_waiting(const struct commands *commands)
{
	return copy_waiting(&commands->copy);
}

void commands_release(struct commands *commands);

void commands_help(FILE *out);

#endif
