/* msb-exec's command line: see opts.h. */
#include "opts.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/endpoint.h"
#include "../shared/options.h"
#include "../shared/rlimit.h"
#include "../shared/utf8.h"

#define CTRL(key) ((key)&0x1f)

static const char endpoint_variable[] = "MSB_EXEC_ENDPOINT";
static const char complete_variable[] = "MSB_EXEC_COMPLETE_TIMEOUT";

/* ---- what options do with their values: 0, or -errno with *err filled ---- */

static int take_text(void *target, const char *value, struct err *err)
{
	(void)err;
	*(const char **)target = value;
	return 0;
}

static int take_flag(void *target, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(bool *)target = true;
	return 0;
}

static int take_nothing(void *target, const char *value, struct err *err)
{
	(void)target;
	(void)value;
	(void)err;
	return 0;
}

static int take_duration(void *target, const char *value, struct err *err)
{
	return duration_parse(value, target, err);
}

/* A duration of which both 0 and inf mean that there is no limit. */
static int take_limit(uint64_t *target, const char *value, uint64_t none, struct err *err)
{
	uint64_t ms;
	int r = duration_parse(value, &ms, err);

	if (r == 0)
		*target = ms && ms != DURATION_INFINITE ? ms : none;
	return r;
}

static int take_limit_or_0(void *target, const char *value, struct err *err)
{
	return take_limit(target, value, 0, err);
}

static int take_limit_or_infinite(void *target, const char *value, struct err *err)
{
	return take_limit(target, value, DURATION_INFINITE, err);
}

static int take_signal(void *target, const char *value, struct err *err)
{
	return value_signal(value, target, err);
}

static int take_escape_char(void *target, const char *value, struct err *err)
{
	return value_escape_char(value, target, err);
}

static int take_keys(void *target, const char *value, struct err *err)
{
	return value_keys(value, target, err);
}

static int take_env(void *target, const char *value, struct err *err)
{
	return env_add(target, value, err);
}

static int take_env_file(void *target, const char *value, struct err *err)
{
	return env_add_file(target, value, err);
}

static int take_rlimit(void *target, const char *value, struct err *err)
{
	struct opts *o = target;

	if (o->rlimit_count == OPTS_RLIMITS_MAX)
		return err_set(err, 0, NULL, "more than %d resource limits", OPTS_RLIMITS_MAX);
	return rlimit_parse(value, &o->rlimits[o->rlimit_count++], err);
}

static int take_linger(void *target, const char *value, struct err *err)
{
	struct opts *o = target;

	o->has_linger = true;
	return duration_parse(value, &o->linger_ms, err);
}

static int take_on_disconnect(void *target, const char *value, struct err *err)
{
	int what = msg_on_disconnect_parse((struct msg_text){value, strlen(value)});

	if (what < 0)
		return err_set(err, 0, NULL, "%s is not kill, hangup or keep", value);
	*(enum msg_on_disconnect *)target = (enum msg_on_disconnect)what;
	return 0;
}

/* Twice: always. */
static int take_tty(void *target, const char *value, struct err *err)
{
	enum opts_tty *tty = target;

	(void)value;
	(void)err;
	*tty = *tty >= OPTS_TTY_IF_TERMINAL ? OPTS_TTY_FORCED : OPTS_TTY_IF_TERMINAL;
	return 0;
}

static int take_no_tty(void *target, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	*(enum opts_tty *)target = OPTS_TTY_NEVER;
	return 0;
}

/* Where several say it, the last one counts. */
static void set_endpoint(struct opts *o, const char *text, const char *from)
{
	o->endpoint = text;
	o->endpoint_from = from;
}

static int take_socket(void *target, const char *value, struct err *err)
{
	(void)err;
	set_endpoint(target, value, "--socket");
	return 0;
}

static int take_local(void *target, const char *value, struct err *err)
{
	(void)value;
	(void)err;
	set_endpoint(target, "local:", "--local");
	return 0;
}

static int take_sandbox(void *target, const char *value, struct err *err)
{
	struct opts *o = target;

	free(o->sandbox);
	if (asprintf(&o->sandbox, "sandbox:%s", value) < 0) {
		o->sandbox = NULL;
		return err_set(err, ENOMEM, NULL, "sandbox %s", value);
	}
	set_endpoint(o, o->sandbox, "--sandbox");
	return 0;
}

/* ---- the options ---- */

#define AT(member) offsetof(struct opts, member)
#define ALL	   0 /* of struct opts */

#define OPTION(programs, short_name, name, arg, at, take, help) \
	{                                                       \
		programs, at, take,                             \
		{                                               \
			short_name, name, arg, help             \
		}                                               \
	}

enum { EXEC = OPTS_EXEC, CONSOLE = OPTS_CONSOLE, BOTH = EXEC | CONSOLE };

/* Which programs have it, what its value is for (take() is given the member), and what it says. */
static const struct row {
	unsigned programs;
	size_t at;
	int (*take)(void *target, const char *value, struct err *err);
	struct option_row option;
} rows[] = {
	OPTION(CONSOLE, 'c', "command", "LINE", AT(line), take_text,
	       "run this line, or these lines, and leave"),
	OPTION(CONSOLE, 'f', "file", "FILE", AT(file), take_text,
	       "run the lines of a file of the host, or of stdin (-), and leave"),
	OPTION(CONSOLE, 0, "shell", "COMMAND", AT(shell), take_text,
	       "the guest's shell, such as dash or 'busybox sh' (default bash if there, else "
	       "/bin/sh)"),
	OPTION(CONSOLE, 0, "complete-timeout", "DURATION", AT(complete_ms), take_limit_or_infinite,
	       "how long Tab waits for the guest's answer (default 300ms; 0 or inf: until Ctrl-C)"),
	OPTION(CONSOLE, 0, "console", NULL, ALL, take_nothing, "accepted and needless: this is it"),
	OPTION(BOTH, 'S', "socket", "ENDPOINT", ALL, take_socket,
	       "the agent's address: unix:/path, vsock:CID:PORT, hvsock:/path:PORT, exec:COMMAND"),
	OPTION(BOTH, 's', "sandbox", "NAME", ALL, take_sandbox,
	       "the same of a microsandbox sandbox"),
	OPTION(BOTH, 0, "local", NULL, ALL, take_local, "start a private msb-execd for this alone"),
	OPTION(BOTH, 0, "connect-timeout", "DURATION", AT(connect_ms), take_limit_or_infinite,
	       "give up if no agent has answered by then (default 10s; 0 or inf: never)"),
	OPTION(BOTH, 0, "wait-for", "DURATION", AT(wait_ms), take_duration,
	       "try to connect again and again for so long, while there is no agent yet"),
	OPTION(BOTH, 0, "keepalive", "DURATION", AT(keepalive_ms), take_limit_or_0,
	       "ask a silent agent for a sign of life after this time, and give up after as much "
	       "again (default 10s; 0 or inf: never)"),
	OPTION(EXEC, 't', "tty", NULL, AT(tty), take_tty,
	       "give the command a terminal, if stdin is one; twice: always"),
	OPTION(EXEC, 'T', "no-tty", NULL, AT(tty), take_no_tty, "give it none"),
	OPTION(EXEC, 'i', "interactive", NULL, ALL, take_nothing,
	       "accepted and needless: stdin streams anyway"),
	OPTION(EXEC, 'n', "no-stdin", NULL, AT(no_stdin), take_flag,
	       "do not read stdin: the command finds it at its end"),
	OPTION(BOTH, 'u', "user", "USER[:GROUP]", AT(user), take_text,
	       "run as this user of the guest, by name or number"),
	OPTION(BOTH, 'w', "workdir", "DIR", AT(workdir), take_text,
	       "run in this folder of the guest"),
	OPTION(BOTH, 'e', "env", "NAME[=VALUE]", AT(env), take_env,
	       "set a variable, or copy the host's; repeatable"),
	OPTION(BOTH, 0, "env-file", "FILE", AT(env), take_env_file,
	       "set variables from lines NAME=VALUE; repeatable"),
	OPTION(BOTH, 0, "rlimit", "NAME=SOFT[:HARD]", ALL, take_rlimit,
	       "set a resource limit, such as nofile=64:128 or as=1G; repeatable"),
	OPTION(BOTH, 0, "timeout", "DURATION", AT(timeout_ms), take_limit_or_0,
	       "end the command after this time (exit status 124)"),
	OPTION(BOTH, 'k', "kill-after", "DURATION", AT(kill_after_ms), take_limit_or_0,
	       "kill it this long after the time-out's signal (default 5s, 0 never)"),
	OPTION(BOTH, 0, "signal", "SIGNAL", AT(timeout_signal), take_signal,
	       "the time-out's signal (default TERM)"),
	OPTION(BOTH, 0, "linger", "DURATION", ALL, take_linger,
	       "wait for descendants that hold the output until they are silent for so long "
	       "(default 500ms; inf: until they end)"),
	OPTION(BOTH, 0, "on-disconnect", "WHAT", AT(on_disconnect), take_on_disconnect,
	       "kill, hangup or keep the command if msb-exec is lost (default kill)"),
	OPTION(EXEC, 0, "escape-char", "C", AT(escape_char), take_escape_char,
	       "in a terminal, after a newline, C? tells what msb-exec itself does (default ~; ^X: "
	       "a control character; none)"),
	OPTION(EXEC, 0, "detach-keys", "SEQ", AT(detach_keys), take_keys,
	       "keys that disconnect, such as ctrl-p,ctrl-q (default ctrl-] three times within a "
	       "second; empty: none)"),
	OPTION(EXEC, 0, "console", NULL, ALL, take_nothing,
	       "a prompt in the guest (msb-exec-console), or lines for its shell, with these "
	       "options"),
	OPTION(EXEC, 0, "ping", NULL, AT(ping), take_flag,
	       "ask the agent for a sign of life, and run nothing"),
	OPTION(BOTH, 'q', "quiet", NULL, AT(quiet), take_flag, "no warnings"),
	OPTION(BOTH, 'v', "verbose", NULL, AT(verbose), take_flag, "say what happens"),
	OPTION(BOTH, 'V', "version", NULL, AT(version), take_flag, "print the version"),
	OPTION(BOTH, 'h', "help", NULL, AT(help), take_flag, "print this help"),
	OPTION(EXEC, 'c', "command", "a line for a shell is: -- sh -c 'LINE'", ALL, NULL, NULL),
	OPTION(EXEC, 'd', "detach",
	       "with --on-disconnect keep a command runs on when msb-exec goes away", ALL, NULL,
	       NULL),
};

#define ROWS (ARRAY_LEN(rows))

_Static_assert(ROWS <= OPTIONS_MAX, "options.h takes no more");

/* Those of a program, as options.h wants them: how many. */
static size_t pick(enum opts_program program, struct option_row *ret_options,
		   const struct row **ret_rows)
{
	size_t count = 0;

	for (size_t i = 0; i < ROWS; i++) {
		if (!(rows[i].programs & program))
			continue;
		ret_options[count] = rows[i].option;
		ret_rows[count++] = &rows[i];
	}
	return count;
}

void opts_help_options(enum opts_program program)
{
	struct option_row options[OPTIONS_MAX];
	const struct row *picked[OPTIONS_MAX];

	options_help(stdout, options, pick(program, options, picked));
}

void opts_help(void)
{
	puts("Usage: msb-exec [OPTION]... [--] COMMAND [ARG]...\n"
	     "       msb-exec [OPTION]...\n"
	     "       msb-exec --console [OPTION]...\n"
	     "Runs a command in a guest, or, without one, the user's login shell there.\n");
	opts_help_options(OPTS_EXEC);
	puts("\nThe agent's address comes from -S, else from $MSB_EXEC_ENDPOINT, else it is\n"
	     "$XDG_RUNTIME_DIR/msb-execd.sock or /run/msb-execd.sock. An address that is given is "
	     "the\n"
	     "only one tried; of -S, -s and --local the last one counts. exec:COMMAND talks to the "
	     "stdin\n"
	     "and stdout of a shell's command, such as exec:ssh HOST msb-execd --listen stdio:\n\n"
	     "Exit status: the command's own; 124 it timed out; 125 msb-exec or the agent failed;\n"
	     "126 it cannot be run; 127 it was not found; 128+N signal N killed it.");
}

/* ---- all of them ---- */

static int settle_endpoint(struct opts *o, struct err *err)
{
	const char *usual = getenv(endpoint_variable);
	struct endpoint endpoint;

	if (!o->endpoint && usual && usual[0])
		set_endpoint(o, usual, endpoint_variable);
	if (o->endpoint && endpoint_parse(o->endpoint, ENDPOINT_CLIENT, &endpoint, err) < 0)
		return err_about(err, "%s", o->endpoint_from);
	return 0;
}

const char *opts_endpoint_variable(const struct opts *o)
{
	return o->endpoint_from == endpoint_variable ? endpoint_variable : NULL;
}

/* The wire carries UTF-8 and nothing else; better refused here than changed on the way. */
static int check_text(const char *what, const char *text, struct err *err)
{
	if (!text || utf8_valid(text, strlen(text)))
		return 0;
	return err_set(err, 0, NULL, "%s is not UTF-8, which is all that the protocol carries",
		       what);
}

static int check_texts(const struct opts *o, struct err *err)
{
	char what[64];

	if (check_text("--user", o->user, err) < 0 ||
	    check_text("--workdir", o->workdir, err) < 0 ||
	    check_text("--command", o->line, err) < 0 || check_text("--shell", o->shell, err) < 0)
		return -EINVAL;
	for (size_t i = 0; i < o->command_len; i++) {
		snprintf(what, sizeof(what), i ? "argument %zu" : "the command", i);
		if (check_text(what, o->command[i], err) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < o->env.count; i++) {
		const char *entry = o->env.entries[i];

		snprintf(what, sizeof(what), "environment variable %.*s", (int)strcspn(entry, "="),
			 entry);
		if (check_text(what, entry, err) < 0)
			return -EINVAL;
	}
	return 0;
}

static const struct opts defaults = {
	.connect_ms = 10000,
	.keepalive_ms = 10000,
	.kill_after_ms = 5000,
	.timeout_signal = SIGTERM,
	.linger_ms = 500,
	.on_disconnect = MSG_DISCONNECT_KILL,
	.escape_char = '~',
	.complete_ms = 300,
	.detach_keys = {{CTRL(']'), CTRL(']'), CTRL(']')}, 3},
};

static int take_options(int argc, char *argv[], enum opts_program program, struct opts *o,
			int *ret_operand, struct err *err)
{
	struct option_row options[OPTIONS_MAX];
	const struct row *picked[OPTIONS_MAX];
	size_t count = pick(program, options, picked);
	const char *value = NULL;
	int i;

	options_begin();
	while ((i = options_next(argc, argv, options, count, &value, ret_operand, err)) >= 0)
		if (picked[i]->take((char *)o + picked[i]->at, value, err) < 0)
			return options_blame(&options[i], err);
	return i == -1 ? 0 : -EINVAL;
}

/* The first of these options among argv's, or NULL. What is wrong there is for take_options() to say. */
static const char *find_option(int argc, char *argv[], enum opts_program program,
			       const char *const *names)
{
	struct option_row options[OPTIONS_MAX];
	const struct row *picked[OPTIONS_MAX];
	size_t count = pick(program, options, picked);
	const char *value;
	struct err err;
	int i, operand;

	options_begin();
	while ((i = options_next(argc, argv, options, count, &value, &operand, &err)) >= 0)
		for (const char *const *name = names; *name; name++)
			if (strcmp(options[i].name, *name) == 0)
				return *name;
	return NULL;
}

bool opts_want_console(int argc, char *argv[])
{
	static const char *const names[] = {"console", NULL};

	return find_option(argc, argv, OPTS_EXEC, names);
}

bool opts_want_lines(int argc, char *argv[])
{
	static const char *const answers[] = {"help", "version", NULL};
	static const char *const lines[] = {"command", "file", NULL};

	return !find_option(argc, argv, OPTS_CONSOLE, answers) &&
	       (find_option(argc, argv, OPTS_CONSOLE, lines) || !isatty(STDIN_FILENO));
}

/* The same variable as for the completion in shells. */
static int take_environment(struct opts *o, struct err *err)
{
	const char *limit = getenv(complete_variable);

	if (!limit || !limit[0] || take_limit_or_infinite(&o->complete_ms, limit, err) == 0)
		return 0;
	return err_about(err, "%s", complete_variable);
}

int opts_parse(int argc, char *argv[], enum opts_program program, struct opts *ret, struct err *err)
{
	int operand = argc;

	*ret = defaults;
	if (program == OPTS_CONSOLE && take_environment(ret, err) < 0)
		return -EINVAL;
	if (take_options(argc, argv, program, ret, &operand, err) < 0)
		return -EINVAL;
	ret->command = argv + operand;
	ret->command_len = (size_t)(argc - operand);
	if (check_texts(ret, err) < 0)
		return -EINVAL;
	if (ret->help || ret->version)
		return 0;
	if (ret->ping && ret->command_len)
		return err_set(err, 0, NULL, "--ping runs nothing, and so takes no command: %s",
			       ret->command[0]);
	if (program == OPTS_CONSOLE && ret->command_len)
		return err_set(err, 0, NULL, "%s: a console takes no command; -c LINE runs one",
			       ret->command[0]);
	if (ret->line && ret->file)
		return err_set(err, 0, NULL, "-c and -f exclude each other");
	return settle_endpoint(ret, err);
}

enum log_level opts_log_level(const struct opts *opts)
{
	return opts->verbose ? LOG_LEVEL_INFO : opts->quiet ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN;
}

void opts_release(struct opts *opts)
{
	env_release(&opts->env);
	free(opts->sandbox);
}
