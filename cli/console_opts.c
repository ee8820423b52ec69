/* msb-exec-console's command line: see console_opts.h. */
#include "console_opts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shared/options.h"
#include "../shared/utf8.h"
#include "console_commands.h"

enum {
	OPT_SOCKET,
	OPT_SANDBOX,
	OPT_LOCAL,
	OPT_CONNECT_TIMEOUT,
	OPT_WAIT_FOR,
	OPT_KEEPALIVE,
	OPT_COMPLETE_TIMEOUT,
	OPT_USER,
	OPT_WORKDIR,
	OPT_ENV,
	OPT_ENV_FILE,
	OPT_RLIMIT,
	OPT_LINE,
	OPT_FILE,
	OPT_CONSOLE,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option_row rows[] = {
	[OPT_SOCKET] = {'S', "socket", "ENDPOINT", "the agent's address, as msb-exec has it"},
	[OPT_SANDBOX] = {'s', "sandbox", "NAME", "the same of a microsandbox sandbox"},
	[OPT_LOCAL] = {0, "local", NULL, "start a private msb-execd for this console alone"},
	[OPT_CONNECT_TIMEOUT] = {0, "connect-timeout", "DURATION",
				 "give up if no agent has answered by then (default 10s; 0 or inf: "
				 "never)"},
	[OPT_WAIT_FOR] =
		{0, "wait-for", "DURATION",
		 "try to connect again and again for so long, while there is no agent yet"},
	[OPT_KEEPALIVE] =
		{0, "keepalive", "DURATION",
		 "ask a silent agent for a sign of life after this time, and give up after "
		 "as much again (default 10s; 0 or inf: never)"},
	[OPT_COMPLETE_TIMEOUT] = {0, "complete-timeout", "DURATION",
				  "how long Tab waits for the guest's answer (default 300ms; 0 or "
				  "inf: until Ctrl-C)"},
	[OPT_USER] = {'u', "user", "USER[:GROUP]", "be this user of the guest, by name or number"},
	[OPT_WORKDIR] = {'w', "workdir", "DIR", "begin in this folder of the guest"},
	[OPT_ENV] = {'e', "env", "NAME[=VALUE]", "set a variable, or copy the host's; repeatable"},
	[OPT_ENV_FILE] = {0, "env-file", "FILE", "set variables from lines NAME=VALUE; repeatable"},
	[OPT_RLIMIT] = {0, "rlimit", "NAME=SOFT[:HARD]",
			"set a resource limit, such as nofile=64:128 or as=1G; repeatable"},
	[OPT_LINE] = {'c', "command", "LINE", "run this line, or these lines, and leave"},
	[OPT_FILE] = {'f', "file", "FILE", "run the lines of a file of the host, and leave"},
	[OPT_CONSOLE] = {0, "console", NULL, "accepted and needless: this is it"},
	[OPT_QUIET] = {'q', "quiet", NULL, "no warnings"},
	[OPT_VERBOSE] = {'v', "verbose", NULL, "say what happens"},
	[OPT_VERSION] = {'V', "version", NULL, "print the version and the licence"},
	[OPT_HELP] = {'h', "help", NULL, "print this help"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

void console_opts_help(void)
{
	puts("Usage: msb-exec-console [OPTION]...\n"
	     "A prompt in a guest: its own shell, with the host's line editing and history. "
	     "Without a\n"
	     "terminal on stdin, runs the lines it reads and stops at the first that fails.\n");
	options_help(stdout, rows, ROWS);
	puts("\nAt the prompt, besides what the guest's shell knows:\n");
	commands_help(stdout);
	puts("\nIn scripts a line that begins with - may fail. The history is kept in\n"
	     "$MSB_EXEC_HISTFILE, by default ~/.local/state/msb-exec/history; where "
	     "--complete-timeout\n"
	     "is not given $MSB_EXEC_COMPLETE_TIMEOUT says how long.\n\n"
	     "Exit status: the shell's; in scripts that of the line that failed; 125 if the "
	     "console or\n"
	     "the agent failed.");
}

static int take_value(struct console_opts *o, int option, const char *value, struct err *err)
{
	if (option != OPT_FILE && !utf8_valid(value, strlen(value)))
		return err_set(err, 0, NULL, "not UTF-8, which is all that the protocol carries");
	switch (option) {
	case OPT_SOCKET:
		opts_set_endpoint(&o->guest, value, "--socket");
		return 0;
	case OPT_SANDBOX:
		return opts_set_sandbox(&o->guest, value, err);
	case OPT_CONNECT_TIMEOUT:
		return opts_parse_limit(value, DURATION_INFINITE, &o->guest.connect_ms, err);
	case OPT_WAIT_FOR:
		return duration_parse(value, &o->guest.wait_ms, err);
	case OPT_KEEPALIVE:
		return opts_parse_limit(value, 0, &o->guest.keepalive_ms, err);
	case OPT_COMPLETE_TIMEOUT:
		return opts_parse_limit(value, DURATION_INFINITE, &o->complete_ms, err);
	case OPT_USER:
		o->guest.user = value;
		return 0;
	case OPT_WORKDIR:
		o->guest.workdir = value;
		return 0;
	case OPT_ENV:
		return env_add(&o->guest.env, value, err);
	case OPT_ENV_FILE:
		return env_add_file(&o->guest.env, value, err);
	case OPT_RLIMIT:
		return opts_add_rlimit(&o->guest, value, err);
	case OPT_LINE:
		o->line = value;
		return 0;
	default:
		o->file = value;
		return 0;
	}
}

static void take_flag(struct opts *o, int option)
{
	if (option == OPT_LOCAL)
		opts_set_endpoint(o, "local:", "--local");
	else if (option == OPT_QUIET)
		o->quiet = true;
	else if (option == OPT_VERBOSE)
		o->verbose = true;
	else if (option == OPT_VERSION)
		o->version = true;
	else if (option == OPT_HELP)
		o->help = true;
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
	const char *value = NULL;
	int option, operand = 0;

	*ret = (struct console_opts){.complete_ms = 300,
				     .guest = {.connect_ms = 10000,
					       .keepalive_ms = 10000,
					       .kill_after_ms = 5000,
					       .timeout_signal = SIGTERM,
					       .linger_ms = 500,
					       .on_disconnect = MSG_DISCONNECT_KILL}};
	if (take_environment(ret, err) < 0)
		return -EINVAL;
	while ((option = options_next(argc, argv, rows, ROWS, &value, &operand, err)) >= 0) {
		if (!rows[option].arg)
			take_flag(&ret->guest, option);
		else if (take_value(ret, option, value, err) < 0)
			return options_blame(&rows[option], err);
	}
	if (option != -1)
		return -EINVAL;
	if (operand < argc)
		return err_set(err, 0, NULL, "%s: a console takes no command; -c LINE runs one",
			       argv[operand]);
	if (ret->line && ret->file)
		return err_set(err, 0, NULL, "-c and -f exclude each other");
	return ret->guest.help || ret->guest.version ? 0 : opts_settle_endpoint(&ret->guest, err);
}

void console_opts_release(struct console_opts *opts)
{
	opts_release(&opts->guest);
}
