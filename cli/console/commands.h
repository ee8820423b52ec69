/* The console's backslash commands: one table gives matching, help and completion. */
#ifndef MSB_CONSOLE_COMMANDS_H
#define MSB_CONSOLE_COMMANDS_H

#include <stdbool.h>
#include <stdio.h>

struct console;

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
	/* Does it, and calls console_done() now or later. argument may be empty. */
	void (*run)(struct console *console, const char *argument);
};

extern const struct command commands[];
extern const unsigned commands_count;

/*
 * The command that a line is, or NULL for one that is the shell's: the name is matched as a whole
 * word, so that \ls is the shell's. *ret_argument is what follows, without the blanks around it, in
 * the line, which is changed.
 */
const struct command *commands_find(char *line, const char **ret_argument);

/* One that the line's first word may have been meant for, or NULL. */
const struct command *commands_near(const char *line);

void commands_help(FILE *out);

#endif
