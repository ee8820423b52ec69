/* msb-exec-console: a prompt in a guest. Options in, exit status out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/options/exit.h"
#include "cli/terminal/signals.h"
#include "commands.h"
#include "console.h"
#include "shared/base.h"
#include "shared/fd.h"
#include "shared/io/process.h"
#include "shared/log.h"
#include "shared/version.h"

static void print_help(void)
{
	puts("Usage: msb-exec-console [OPTION]...\n"
	     "A prompt in a guest: its own shell, with the host's line editing and history. "
	     "Without a\n"
	     "terminal on stdin, runs the lines it reads and stops at the first that fails.\n");
	opts_help_options(OPTS_CONSOLE);
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

static void print_version(void)
{
	puts(CONSOLE
	     " " MSB_EXEC_VERSION "\n"
	     "This program is linked with GNU readline: as a whole it is under the GNU GPL,\n"
	     "version 3 or later. Its own sources are under the Apache License 2.0.");
}

/* Lines without a prompt are msb-exec's matter. */
static int run_lines(int argc, char *argv[])
{
	static const char *const places[] = {"msb-exec", "../../bin/msb-exec"};
	static const char option[] = "--console";
	char **all = calloc((size_t)argc + 2, sizeof(*all));
	int r = -ENOMEM;

	if (argc > 2 && strcmp(argv[1], option) == 0 && strcmp(argv[2], option) == 0) {
		/* It was it that started us, again and again. */
		log_error("this msb-exec is older than its console, and cannot run lines");
		r = 0;
	} else if (all) {
		all[1] = (char *)option;
		memcpy(all + 2, argv + 1, (size_t)(argc - 1) * sizeof(*all));
		r = process_become(places, ARRAY_LEN(places), all);
	}
	free(all);
	if (r < 0)
		log_error("cannot start msb-exec, which runs lines without a prompt: %s",
			  strerror(-r));
	return EXIT_FAILED;
}

static int run(const struct opts *opts)
{
	int status, signal = 0;

	log_init(CONSOLE, opts_log_level(opts));
	status = console_talk(opts, &signal);
	if (signal)
		signals_die_of(signal);
	return status;
}

int main(int argc, char *argv[])
{
	struct opts opts;
	struct err err;
	int status = 0;

	fd_open_standard();
	signals_begin();
	log_init(CONSOLE, LOG_LEVEL_WARN);
	if (opts_want_lines(argc, argv))
		return run_lines(argc, argv);
	if (opts_parse(argc, argv, OPTS_CONSOLE, &opts, &err) < 0) {
		log_err(&err);
		status = EXIT_FAILED;
	} else if (opts.help) {
		print_help();
	} else if (opts.version) {
		print_version();
	} else {
		status = run(&opts);
	}
	opts_release(&opts);
	return log_flushed_stdout() || status ? status : EXIT_FAILED;
}
