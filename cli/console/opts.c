/* msb-exec-console's command line: see opts.h. */
#include "opts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../shared/utf8.h"
#include "commands.h"

enum { OPT_LINE, OPT_FILE, OPT_SHELL, OPT_COMPLETE_TIMEOUT, OPT_CONSOLE };

static const struct option_row rows[] = {
	[OPT_LINE] = {'c', "command", "LINE", "run this line, or these lines, and leave"},
	[OPT_FILE] = {'f', "file", "FILE",
		      "run the lines of a file of the host, or of stdin (-), and leave"},
	[OPT_SHELL] = {0, "shell", "COMMAND",
		       "the guest's shell, such as dash or 'busybox sh' (default bash if there, "
		       "else /bin/sh)"},
	[OPT_COMPLETE_TIMEOUT] = {0, "complete-timeout", "DURATION",
				  "how long Tab waits for the guest's answer (default 300ms; 0 or "
				  "inf: until Ctrl-C)"},
	[OPT_CONSOLE] = {0, "console", NULL, "accepted and needless: this is it"},
};

static int take(void *owner, int row, const char *value, struct err *err)
{
	struct console_opts *o = owner;

	if (row == OPT_COMPLETE_TIMEOUT)
		return opts_parse_limit(value, DURATION_INFINITE, &o->complete_ms, err);
	if (row != OPT_FILE && value && !utf8_valid(value, strlen(value)))
		return err_set(err, 0, NULL, "not UTF-8, which is all that the protocol carries");
	if (row == OPT_LINE)
		o->line = value;
	else if (row == OPT_FILE)
		o->file = value;
	else if (row == OPT_SHELL)
		o->shell = value;
	return 0;
}

static struct opts_more more = {
	.rows = rows, .count = sizeof(rows) / sizeof(rows[0]), .take = take};

void console_opts_help(void)
{
	puts("Usage: msb-exec-console [OPTION]...\n"
	     "A prompt in a guest: its own shell, with the host's line editing and history. "
	     "Without a\n"
	     "terminal on stdin, runs the lines it reads and stops at the first that fails.\n");
	opts_help_more(&more);
	puts("\nAt the prompt, besides what the guest's shell knows:\n");
	commands_help(stdout);
	puts("\nIn scripts a line that begins with - may fail. The history is kept in\n"
	     "$MSB_EXEC_HISTFILE, by default ~/.local/state/msb-exec/history; where "
	     "--complete-timeout\n"
	     "is not given $MSB_EXEC_COMPLETE_TIMEOUT says how long.\n\n"
	     "Exit status: the shell's; in scripts that of the line that failed, 124 if they timed "
	     "out;\n"
	     "125 if the console or the agent failed.");
}

/* The same variable as for the completion in shells. */
static int take_environment(struct console_opts *o, struct err *err)
{
	const char *limit = getenv("MSB_EXEC_COMPLETE_TIMEOUT");

	if (limit && limit[0] &&
	    opts_parse_limit(limit, DURATION_INFINITE, &o->complete_ms, err) < 0)
		return err_about(err, "MSB_EXEC_COMPLETE_TIMEOUT");
	return 0;
}

int console_opts_parse(int argc, char *argv[], struct console_opts *ret, struct err *err)
{
	*ret = (struct console_opts){.complete_ms = 300};
	more.owner = ret;
	if (take_environment(ret, err) < 0 ||
	    opts_parse_more(argc, argv, &ret->guest, &more, err) < 0)
		return -EINVAL;
	if (ret->guest.command_len)
		return err_set(err, 0, NULL, "%s: a console takes no command; -c LINE runs one",
			       ret->guest.command[0]);
	if (ret->line && ret->file)
		return err_set(err, 0, NULL, "-c and -f exclude each other");
	return 0;
}
