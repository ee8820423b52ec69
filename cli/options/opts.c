/* msb-exec's command line: see opts.h. */
#include "opts.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "rows.h"
#include "shared/address/endpoint.h"
#include "shared/base.h"
#include "shared/options.h"
#include "together.h"

static const char endpoint_variable[] = "MSB_EXEC_ENDPOINT";
static const char rsh_name[] = "msb-rsh";
static const char complete_variable[] = "MSB_EXEC_COMPLETE_TIMEOUT";

void opts_help_options(enum opts_program program)
{
	options_help(stdout, opts_rows, program);
}

void opts_help(void)
{
	puts("Usage: msb-exec [OPTION]... [--] COMMAND [ARG]...\n"
	     "       msb-exec [OPTION]...\n"
	     "       msb-exec [OPTION]... -c LINE [ARG]...\n"
	     "       msb-exec [OPTION]... --rsh [-l USER] GUEST [WORD]...\n"
	     "       msb-exec --sessions [--json] [OPTION]...\n"
	     "       msb-exec --guests [--json] [OPTION]...\n"
	     "       msb-exec --attach|--wait|--logs|--send|--kill|--remove ID [OPTION]...\n"
	     "       msb-exec --console [OPTION]...\n"
	     "Runs a command in a guest, or, without one, the user's login shell there.\n");
	opts_help_options(OPTS_EXEC);
	puts("\nThe agent's address comes from -S, else from $MSB_EXEC_ENDPOINT, else it is\n"
	     "$XDG_RUNTIME_DIR/msb-execd.sock or /run/msb-execd.sock. An address that is given is "
	     "the\n"
	     "only one tried; of -S, -s and --local the last one counts. exec:COMMAND talks to the "
	     "stdin\n"
	     "and stdout of a shell's command, such as exec:ssh HOST msb-execd --listen stdio:\n"
	     "A word without : and / is a guest's name, which a line of\n"
	     "$XDG_CONFIG_HOME/msb-exec/guests has (or ~/.config/msb-exec/guests).\n\n"
	     "Exit status: the command's own; 124 it timed out; 125 msb-exec or the agent failed;\n"
	     "126 it cannot be run; 127 it was not found; 128+N signal N killed it.");
}

/* ---- all of them ---- */

static int settle_endpoint(struct opts *o, struct err *err)
{
	const char *usual = getenv(endpoint_variable);
	struct endpoint endpoint;

	if (!o->endpoint && usual && usual[0])
		opts_set_endpoint(o, usual, endpoint_variable);
	if (o->guest)
		o->endpoint = o->line_of_guest.endpoint;
	if (o->endpoint && endpoint_parse(o->endpoint, ENDPOINT_CLIENT, &endpoint, err) < 0)
		return err_about(err, "%s", o->endpoint_from);
	return 0;
}

const char *opts_endpoint_variable(const struct opts *o)
{
	return o->endpoint_from == endpoint_variable ? endpoint_variable : NULL;
}

/*
 * Where --rsh stands, behind which comes another language, or -1. Whoever is called msb-rsh knows no
 * other.
 */
static int find_rsh(int argc, char *argv[])
{
	struct options o = {.rows = opts_rows, .program = OPTS_EXEC, .argc = argc, .argv = argv};
	const char *name = argc ? strrchr(argv[0], '/') : NULL, *value;
	struct err err;
	int i;

	if (argc && strcmp(name ? name + 1 : argv[0], rsh_name) == 0)
		return 0;
	while ((i = options_next(&o, &value, &err)) >= 0)
		if (strcmp(opts_rows[i].name, "rsh") == 0)
			return o.at;
	return -1;
}

/* So many words of argv are in our own. */
static int count_ours(int argc, char *argv[])
{
	int at = find_rsh(argc, argv);

	return at < 0 ? argc : at + 1;
}

bool opts_want_console(int argc, char *argv[])
{
	static const char *const names[] = {"console", NULL};

	return opts_find(count_ours(argc, argv), argv, OPTS_EXEC, names);
}

bool opts_want_lines(int argc, char *argv[])
{
	static const char *const answers[] = {"help", "version", NULL};
	static const char *const lines[] = {"command", "file", NULL};

	return !opts_find(argc, argv, OPTS_CONSOLE, answers) &&
	       (opts_find(argc, argv, OPTS_CONSOLE, lines) || !isatty(STDIN_FILENO));
}

/* The same variable as for the completion in shells. */
static int take_environment(struct opts *o, struct err *err)
{
	const char *limit = getenv(complete_variable);

	if (!limit || !limit[0] ||
	    duration_limit(limit, DURATION_INFINITE, &o->complete_ms, err) == 0)
		return 0;
	return err_about(err, "%s", complete_variable);
}

/* ---- a guest with a name ---- */

/* What may stand in its line: what is said about the connection to it, and about what surrounds commands there. */
static bool is_of_guests(const char *name)
{
	static const char *const names[] = {"connect-timeout",
					    "wait-for",
					    "keepalive",
					    "user",
					    "workdir",
					    "env",
					    "env-file",
					    "rlimit",
					    "cgroup",
					    "memory",
					    "cpus",
					    "pids",
					    "timeout",
					    "kill-after",
					    "signal",
					    "linger",
					    "reconnect",
					    "escape-char",
					    "detach-keys",
					    "shell",
					    "on-disconnect",
					    "complete-timeout"};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

/* As options_next(), for a line that both programs read: what the other one alone has is not ours. */
static int next_of_both(struct options *o, const char **ret_value, bool *ret_ours, struct err *err)
{
	struct options other = *o;
	struct err ignored;
	int i = options_next(o, ret_value, err);

	*ret_ours = i >= -1;
	if (*ret_ours)
		return i;
	other.program = OPTS_EXEC + OPTS_CONSOLE - o->program;
	i = options_next(&other, ret_value, &ignored);
	if (i < 0)
		return -EINVAL;
	other.program = o->program;
	*o = other;
	return i;
}

/* trial: takes what the other program has, too, but reads no other file. */
static int take_line(const struct guest_line *line, enum opts_program program, bool trial,
		     struct opts *ret, struct err *err)
{
	struct options o = {.rows = opts_rows,
			    .program = program,
			    .argc = line->word_count,
			    .argv = line->words};
	const char *value;
	bool ours;
	int i;

	while ((i = next_of_both(&o, &value, &ours, err)) >= 0) {
		if (!is_of_guests(opts_rows[i].name))
			return err_set(err, 0, NULL, "--%s is not for a guest's line",
				       opts_rows[i].name);
		if (trial ? strcmp(opts_rows[i].name, "env-file") == 0 : !ours)
			continue;
		if (options_take(&opts_rows[i], value, ret, err) < 0)
			return -EINVAL;
	}
	if (i != -1)
		return i;
	if (o.at + 1 < line->word_count)
		return err_set(err, 0, NULL, "only options follow the address, not %s",
			       line->words[o.at + 1]);
	return 0;
}

int opts_check_guest(const struct guest_line *line, void *unused, struct err *err)
{
	struct opts trial = opts_defaults;
	int r = take_line(line, OPTS_EXEC, true, &trial, err);

	(void)unused;
	opts_release(&trial);
	return r;
}

int opts_use_guest(struct opts *opts, enum opts_program program, const char *text, const char *from,
		   struct err *err)
{
	const char *at = strchr(text, '@');
	struct endpoint endpoint;
	struct err ignored;
	int r;

	if (at && at > text && !strpbrk(text, ":/") && guests_is_name(at + 1)) {
		err_set(err, 0, NULL, "%s: %s is no guest's name", from, text);
		return err_hint(err, "-u %.*s -S %s says both", (int)(at - text), text, at + 1);
	}
	if (!guests_is_name(text))
		return 0;
	r = guests_find(text, opts_check_guest, NULL, &opts->line_of_guest, err);
	/* A port, or a kind without its colon, is told as such, later. */
	if (r == -ENOENT && endpoint_parse(text, ENDPOINT_CLIENT, &endpoint, &ignored) < 0)
		return 0;
	if (r < 0)
		return err_about(err, "%s", from);
	opts->guest = opts->line_of_guest.name;
	if (take_line(&opts->line_of_guest, program, false, opts, err) < 0)
		return err_about(err, "the guest %s", opts->guest);
	return 0;
}

/* What the command line, or else --rsh or the environment, says for an address; NULL: what has no name. */
static const char *find_address(int argc, char *argv[], enum opts_program program,
				const struct rsh *rsh, const char **ret_from)
{
	struct options o = {.rows = opts_rows, .program = program, .argc = argc, .argv = argv};
	const char *address = rsh->guest ? rsh->guest : getenv(endpoint_variable), *value;
	struct err err;
	int i;

	*ret_from = rsh->guest ? "--rsh" : endpoint_variable;
	while ((i = options_next(&o, &value, &err)) >= 0) {
		const char *name = opts_rows[i].name;

		if (strcmp(name, "socket") == 0) {
			address = value;
			*ret_from = "--socket";
		} else if (strcmp(name, "sandbox") == 0 || strcmp(name, "local") == 0) {
			address = NULL;
		}
	}
	return address;
}

static int take_guest(int argc, char *argv[], enum opts_program program, struct opts *ret,
		      struct err *err)
{
	static const char *const others[] = {"help", "version", "guests", NULL};
	const char *from, *address = find_address(argc, argv, program, &ret->rsh, &from);

	if (!address || ret->rsh.describes || opts_find(argc, argv, program, others))
		return 0;
	return opts_use_guest(ret, program, address, from, err);
}

/* ---- behind --rsh ---- */

static void settle_rsh_tty(struct opts *o)
{
	static const enum opts_tty ttys[] = {
		[RSH_TTY_AUTO] = OPTS_TTY_AUTO,
		[RSH_TTY_NEVER] = OPTS_TTY_NEVER,
		[RSH_TTY_IF_TERMINAL] = OPTS_TTY_IF_TERMINAL,
		[RSH_TTY_FORCED] = OPTS_TTY_FORCED,
	};

	if (o->rsh.tty != RSH_TTY_UNSAID)
		o->tty = ttys[o->rsh.tty];
}

/* Before the options, since it may name a guest. Of whoever wants to be told something else nothing is wrong. */
static int read_rsh(int argc, char *argv[], int ours, struct opts *o, struct err *err)
{
	static const char *const answers[] = {"help", "version", NULL};

	if (opts_find(ours, argv, OPTS_EXEC, answers))
		return 0;
	return rsh_parse(argc - ours, argv + ours, &o->rsh, err);
}

/* What it says counts more than options before it, but for the agent, which is that of -S. */
static int settle_rsh(struct opts *o, struct err *err)
{
	const struct rsh *rsh = &o->rsh;

	if (o->line)
		return err_set(err, 0, NULL, "-c and --rsh exclude each other");
	for (size_t i = 0; i < rsh->env.count; i++)
		if (env_add(&o->env, rsh->env.entries[i], err) < 0)
			return -EINVAL;
	settle_rsh_tty(o);
	if (!o->endpoint && rsh->guest)
		opts_set_endpoint(o, rsh->guest, "--rsh");
	if (rsh->user)
		o->user = rsh->user;
	if (rsh->has_connect_ms)
		o->connect_ms = rsh->connect_ms;
	if (rsh->has_keepalive_ms)
		o->keepalive_ms = rsh->keepalive_ms;
	if (rsh->has_escape_char)
		o->escape_char = rsh->escape_char;
	if (rsh->log_file)
		o->log_file = rsh->log_file;
	o->no_stdin |= rsh->no_stdin;
	o->quiet |= rsh->quiet;
	o->verbose |= rsh->verbose;
	o->version |= rsh->version;
	o->line = rsh->line;
	return 0;
}

/* ---- all ---- */

/* All that is there before the command line: defaults, and what a guest's line says. */
static int begin(int argc, char *argv[], enum opts_program program, struct opts *ret,
		 struct err *err)
{
	*ret = opts_defaults;
	ret->argc = argc;
	ret->argv = argv;
	ret->program = program;
	return program == OPTS_CONSOLE ? take_environment(ret, err) : 0;
}

/* Behind a guest's line. What it says of coming back is for what is kept, and no error elsewhere. */
static bool end_guest(struct opts *o)
{
	bool reconnects = o->has_reconnect;

	o->has_reconnect = false;
	o->env_of_guest = o->env.count;
	return reconnects;
}

static int parse(int argc, char *argv[], enum opts_program program, struct opts *ret,
		 struct err *err)
{
	int rsh_at = program == OPTS_EXEC ? find_rsh(argc, argv) : -1;
	int ours = rsh_at < 0 ? argc : rsh_at + 1;
	struct options o = {.rows = opts_rows, .program = program, .argc = ours, .argv = argv};
	bool reconnects;
	int r = begin(ours, argv, program, ret, err);

	ret->user_shell = rsh_at >= 0;
	if (r < 0 || (rsh_at >= 0 && read_rsh(argc, argv, ours, ret, err) < 0) ||
	    take_guest(ours, argv, program, ret, err) < 0)
		return -EINVAL;
	reconnects = end_guest(ret);
	if (options_parse(&o, ret, err) < 0)
		return -EINVAL;
	ret->command = argv + (rsh_at < 0 ? o.at + 1 : argc);
	ret->command_len = rsh_at < 0 && argc > o.at ? (size_t)(argc - o.at - 1) : 0;
	if ((rsh_at >= 0 && settle_rsh(ret, err) < 0) || together_check_texts(ret, err) < 0)
		return -EINVAL;
	if (ret->help || ret->version || ret->rsh.describes)
		return 0;
	if ((!ret->guests && settle_endpoint(ret, err) < 0) || together_check(ret, err) < 0)
		return -EINVAL;
	ret->has_reconnect |= reconnects && together_can_reconnect(ret);
	return 0;
}

/* Who asked to be told is told, whatever else is wrong on the line. */
static void find_reports(int argc, char *argv[], struct opts *ret)
{
	struct options o = {.rows = opts_rows,
			    .program = OPTS_EXEC,
			    .argc = count_ours(argc, argv),
			    .argv = argv};
	bool is_whole = true; /* so far */
	const char *value;
	struct err err;
	int i;

	while ((i = options_next(&o, &value, &err)) != -1) {
		const char *name = i >= 0 ? opts_rows[i].name : "";

		ret->json |= strcmp(name, "json") == 0;
		if (strcmp(name, "result") == 0)
			ret->result = value;
		/* A file that is made by a guess may be anybody's. */
		if (is_whole && strcmp(name, "log-file") == 0)
			ret->log_file = value;
		is_whole &= i >= 0;
		if (i < 0)
			o.letters = NULL;
	}
}

int opts_parse(int argc, char *argv[], enum opts_program program, struct opts *ret, struct err *err)
{
	int r = parse(argc, argv, program, ret, err);

	if (r < 0 && program == OPTS_EXEC)
		find_reports(argc, argv, ret);
	return r;
}

/* ---- for another guest ---- */

/*
 * A file may have been a pipe, and is not read again: what it said is in the environment of before. And a folder was that
 * of the first guest.
 */
static bool is_taken_again(const struct option_row *row)
{
	return strcmp(row->name, "env") != 0 && strcmp(row->name, "env-file") != 0 &&
	       strcmp(row->name, "workdir") != 0;
}

static int take_again(const struct opts *of, struct opts *ret, struct err *err)
{
	struct options o = {
		.rows = opts_rows, .program = of->program, .argc = of->argc, .argv = of->argv};
	const char *value;
	int i;

	while ((i = options_next(&o, &value, err)) >= 0)
		if (is_taken_again(&opts_rows[i]) &&
		    options_take(&opts_rows[i], value, ret, err) < 0)
			return -EINVAL;
	for (size_t n = of->env_of_guest; n < of->env.count; n++)
		if (env_add(&ret->env, of->env.entries[n], err) < 0)
			return -EINVAL;
	return i == -1 ? 0 : i;
}

static int again(const struct opts *of, const char *text, const char *from, struct opts *ret,
		 struct err *err)
{
	bool reconnects;

	if (begin(of->argc, of->argv, of->program, ret, err) < 0 ||
	    opts_use_guest(ret, of->program, text, from, err) < 0)
		return -EINVAL;
	reconnects = end_guest(ret);
	if (take_again(of, ret, err) < 0)
		return -EINVAL;
	free(ret->sandbox);
	ret->sandbox = strdup(text);
	if (!ret->sandbox)
		return err_set(err, ENOMEM, NULL, "%s", text);
	opts_set_endpoint(ret, ret->sandbox, from);
	if (settle_endpoint(ret, err) < 0)
		return -EINVAL;
	ret->has_reconnect |= reconnects && together_can_reconnect(ret);
	return 0;
}

int opts_again(const struct opts *of, const char *text, const char *from, struct opts *ret,
	       struct err *err)
{
	int r = again(of, text, from, ret, err);

	if (r < 0)
		opts_release(ret);
	return r;
}

bool opts_have_end(const struct opts *opts)
{
	return together_has_end(opts);
}

enum log_level opts_log_level(const struct opts *opts)
{
	return opts->verbose ? LOG_LEVEL_INFO : opts->quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
}

void opts_release(struct opts *opts)
{
	env_release(&opts->env);
	free(opts->sandbox);
	guest_line_release(&opts->line_of_guest);
	rsh_release(&opts->rsh);
}
