/* msb-exec's command line: see opts.h. */
#include "opts.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../shared/endpoint.h"
#include "../shared/options.h"
#include "../shared/rlimit.h"
#include "../shared/utf8.h"

#define CTRL(key) ((key)&0x1f)

static const char endpoint_variable[] = "MSB_EXEC_ENDPOINT";

enum {
	OPT_SOCKET,
	OPT_SANDBOX,
	OPT_LOCAL,
	OPT_CONNECT_TIMEOUT,
	OPT_WAIT_FOR,
	OPT_KEEPALIVE,
	OPT_TTY,
	OPT_NO_TTY,
	OPT_INTERACTIVE,
	OPT_NO_STDIN,
	OPT_USER,
	OPT_WORKDIR,
	OPT_ENV,
	OPT_ENV_FILE,
	OPT_RLIMIT,
	OPT_TIMEOUT,
	OPT_KILL_AFTER,
	OPT_SIGNAL,
	OPT_LINGER,
	OPT_ON_DISCONNECT,
	OPT_ESCAPE_CHAR,
	OPT_DETACH_KEYS,
	OPT_CONSOLE,
	OPT_PING,
	OPT_QUIET,
	OPT_VERBOSE,
	OPT_VERSION,
	OPT_HELP,
	OPT_DETACH,
	OPT_LINE,
};

static const struct option_row rows[] = {
	[OPT_SOCKET] = {'S', "socket", "ENDPOINT",
			"the agent's address: unix:/path, vsock:CID:PORT, hvsock:/path:PORT, "
			"exec:COMMAND"},
	[OPT_SANDBOX] = {'s', "sandbox", "NAME", "the same of a microsandbox sandbox"},
	[OPT_LOCAL] = {0, "local", NULL, "start a private msb-execd for this alone"},
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
	[OPT_TTY] = {'t', "tty", NULL,
		     "give the command a terminal, if stdin is one; twice: always"},
	[OPT_NO_TTY] = {'T', "no-tty", NULL, "give it none"},
	[OPT_INTERACTIVE] = {'i', "interactive", NULL,
			     "accepted and needless: stdin streams anyway"},
	[OPT_NO_STDIN] = {'n', "no-stdin", NULL,
			  "do not read stdin: the command finds it at its end"},
	[OPT_USER] = {'u', "user", "USER[:GROUP]",
		      "run as this user of the guest, by name or number"},
	[OPT_WORKDIR] = {'w', "workdir", "DIR", "run in this folder of the guest"},
	[OPT_ENV] = {'e', "env", "NAME[=VALUE]", "set a variable, or copy the host's; repeatable"},
	[OPT_ENV_FILE] = {0, "env-file", "FILE", "set variables from lines NAME=VALUE; repeatable"},
	[OPT_RLIMIT] = {0, "rlimit", "NAME=SOFT[:HARD]",
			"set a resource limit, such as nofile=64:128 or as=1G; repeatable"},
	[OPT_TIMEOUT] = {0, "timeout", "DURATION",
			 "end the command after this time (exit status 124)"},
	[OPT_KILL_AFTER] = {'k', "kill-after", "DURATION",
			    "kill it this long after the time-out's signal (default 5s, 0 never)"},
	[OPT_SIGNAL] = {0, "signal", "SIGNAL", "the time-out's signal (default TERM)"},
	[OPT_LINGER] = {0, "linger", "DURATION",
			"wait for descendants that hold the output until they are silent for so "
			"long (default 500ms; inf: until they end)"},
	[OPT_ON_DISCONNECT] =
		{0, "on-disconnect", "WHAT",
		 "kill, hangup or keep the command if msb-exec is lost (default kill)"},
	[OPT_ESCAPE_CHAR] = {0, "escape-char", "C",
			     "in a terminal, after a newline, C? tells what msb-exec itself does "
			     "(default ~; ^X: a control character; none)"},
	[OPT_DETACH_KEYS] = {0, "detach-keys", "SEQ",
			     "keys that disconnect, such as ctrl-p,ctrl-q (default ctrl-] three "
			     "times within a second; empty: none)"},
	[OPT_CONSOLE] = {0, "console", NULL,
			 "start msb-exec-console, a prompt in the guest, with these options"},
	[OPT_PING] = {0, "ping", NULL, "ask the agent for a sign of life, and run nothing"},
	[OPT_QUIET] = {'q', "quiet", NULL, "no warnings"},
	[OPT_VERBOSE] = {'v', "verbose", NULL, "say what happens"},
	[OPT_VERSION] = {'V', "version", NULL, "print the version"},
	[OPT_HELP] = {'h', "help", NULL, "print this help"},
	[OPT_LINE] = OPTION_REFUSED('c', "command", "a line for a shell is: -- sh -c 'LINE'"),
	[OPT_DETACH] = OPTION_REFUSED(
		'd', "detach",
		"with --on-disconnect keep a command runs on when msb-exec goes away"),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

void opts_help(void)
{
	puts("Usage: msb-exec [OPTION]... [--] COMMAND [ARG]...\n"
	     "       msb-exec [OPTION]...\n"
	     "       msb-exec --console [OPTION]...\n"
	     "Runs a command in a guest, or, without one, the user's login shell there.\n");
	options_help(stdout, rows, ROWS);
	puts("\nThe agent's address comes from -S, else from $MSB_EXEC_ENDPOINT, else it is\n"
	     "$XDG_RUNTIME_DIR/msb-execd.sock or /run/msb-execd.sock. An address that is given is "
	     "the\n"
	     "only one tried; of -S, -s and --local the last one counts. exec:COMMAND talks to the "
	     "stdin\n"
	     "and stdout of a shell's command, such as exec:ssh HOST msb-execd --listen stdio:\n\n"
	     "Exit status: the command's own; 124 it timed out; 125 msb-exec or the agent failed;\n"
	     "126 it cannot be run; 127 it was not found; 128+N signal N killed it.");
}

static int add_rlimit(struct opts *opts, const char *text, struct err *err)
{
	if (opts->rlimit_count == OPTS_RLIMITS_MAX)
		return err_set(err, 0, NULL, "more than %d resource limits", OPTS_RLIMITS_MAX);
	return rlimit_parse(text, &opts->rlimits[opts->rlimit_count++], err);
}

static int parse_on_disconnect(struct opts *o, const char *text, struct err *err)
{
	int what = msg_on_disconnect_parse((struct msg_text){text, strlen(text)});

	if (what < 0)
		return err_set(err, 0, NULL, "%s is not kill, hangup or keep", text);
	o->on_disconnect = (enum msg_on_disconnect)what;
	return 0;
}

/* Where several say it, the last one counts. */
static void set_endpoint(struct opts *o, const char *text, const char *from)
{
	o->endpoint = text;
	o->endpoint_from = from;
}

static int set_sandbox(struct opts *o, const char *name, struct err *err)
{
	free(o->sandbox);
	if (asprintf(&o->sandbox, "sandbox:%s", name) < 0) {
		o->sandbox = NULL;
		return err_set(err, ENOMEM, NULL, "sandbox %s", name);
	}
	set_endpoint(o, o->sandbox, "--sandbox");
	return 0;
}

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

/* Both none and endless mean that there is no limit. */
int opts_parse_limit(const char *text, uint64_t none, uint64_t *ret_ms, struct err *err)
{
	uint64_t ms;
	int r = duration_parse(text, &ms, err);

	if (r == 0)
		*ret_ms = ms && ms != DURATION_INFINITE ? ms : none;
	return r;
}

static int take_value(struct opts *o, int option, const char *value, struct err *err)
{
	switch (option) {
	case OPT_SOCKET:
		set_endpoint(o, value, "--socket");
		return 0;
	case OPT_SANDBOX:
		return set_sandbox(o, value, err);
	case OPT_CONNECT_TIMEOUT:
		return opts_parse_limit(value, DURATION_INFINITE, &o->connect_ms, err);
	case OPT_WAIT_FOR:
		return duration_parse(value, &o->wait_ms, err);
	case OPT_KEEPALIVE:
		return opts_parse_limit(value, 0, &o->keepalive_ms, err);
	case OPT_USER:
		o->user = value;
		return 0;
	case OPT_WORKDIR:
		o->workdir = value;
		return 0;
	case OPT_ENV:
		return env_add(&o->env, value, err);
	case OPT_ENV_FILE:
		return env_add_file(&o->env, value, err);
	case OPT_RLIMIT:
		return add_rlimit(o, value, err);
	case OPT_TIMEOUT:
		return opts_parse_limit(value, 0, &o->timeout_ms, err);
	case OPT_KILL_AFTER:
		return opts_parse_limit(value, 0, &o->kill_after_ms, err);
	case OPT_SIGNAL:
		return value_signal(value, &o->timeout_signal, err);
	case OPT_LINGER:
		o->has_linger = true;
		return duration_parse(value, &o->linger_ms, err);
	case OPT_ESCAPE_CHAR:
		return value_escape_char(value, &o->escape_char, err);
	case OPT_DETACH_KEYS:
		return value_keys(value, &o->detach_keys, err);
	default:
		return parse_on_disconnect(o, value, err);
	}
}

static void take_flag(struct opts *o, int option)
{
	switch (option) {
	case OPT_LOCAL:
		set_endpoint(o, "local:", "--local");
		break;
	case OPT_TTY:
		o->tty = o->tty >= OPTS_TTY_IF_TERMINAL ? OPTS_TTY_FORCED : OPTS_TTY_IF_TERMINAL;
		break;
	case OPT_NO_TTY:
		o->tty = OPTS_TTY_NEVER;
		break;
	case OPT_NO_STDIN:
		o->no_stdin = true;
		break;
	case OPT_PING:
		o->ping = true;
		break;
	case OPT_QUIET:
		o->quiet = true;
		break;
	case OPT_VERBOSE:
		o->verbose = true;
		break;
	case OPT_VERSION:
		o->version = true;
		break;
	case OPT_HELP:
		o->help = true;
		break;
	default:
		break;
	}
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

	if (check_text("--user", o->user, err) < 0 || check_text("--workdir", o->workdir, err) < 0)
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
	.detach_keys = {{CTRL(']'), CTRL(']'), CTRL(']')}, 3},
};

/* Those that a console has too, in the order of its help. */
static const int common[] = {OPT_SOCKET,     OPT_SANDBOX,   OPT_LOCAL,	 OPT_CONNECT_TIMEOUT,
			     OPT_WAIT_FOR,   OPT_KEEPALIVE, OPT_USER,	 OPT_WORKDIR,
			     OPT_ENV,	     OPT_ENV_FILE,  OPT_RLIMIT,	 OPT_TIMEOUT,
			     OPT_KILL_AFTER, OPT_SIGNAL,    OPT_LINGER,	 OPT_ON_DISCONNECT,
			     OPT_QUIET,	     OPT_VERBOSE,   OPT_VERSION, OPT_HELP};

#define COMMON (sizeof(common) / sizeof(common[0]))

/* Ours from those that the options of more come before. */
static size_t put_rows(const struct opts_more *more, struct option_row *ret)
{
	memcpy(ret, more->rows, more->count * sizeof(*ret));
	for (size_t i = 0; i < COMMON; i++)
		ret[more->count + i] = rows[common[i]];
	return more->count + COMMON;
}

int opts_parse_more(int argc, char *argv[], struct opts *ret, const struct opts_more *more,
		    struct err *err)
{
	struct option_row all[OPTIONS_MAX];
	size_t count = put_rows(more, all);
	const char *value = NULL;
	int option, operand = 0, r = 0;

	*ret = defaults;
	while ((option = options_next(argc, argv, all, count, &value, &operand, err)) >= 0) {
		if ((size_t)option < more->count)
			r = more->take(more->owner, option, value, err);
		else if (!all[option].arg)
			take_flag(ret, common[(size_t)option - more->count]);
		else
			r = take_value(ret, common[(size_t)option - more->count], value, err);
		if (r < 0)
			return options_blame(&all[option], err);
	}
	if (option != -1 || check_texts(ret, err) < 0)
		return -EINVAL;
	ret->command = argv + operand;
	ret->command_len = (size_t)(argc - operand);
	return ret->help || ret->version ? 0 : settle_endpoint(ret, err);
}

void opts_help_more(const struct opts_more *more)
{
	struct option_row all[OPTIONS_MAX];

	options_help(stdout, all, put_rows(more, all));
}

int opts_parse(int argc, char *argv[], struct opts *ret, struct err *err)
{
	const char *value = NULL;
	int option, operand = 0;

	*ret = defaults;
	while ((option = options_next(argc, argv, rows, ROWS, &value, &operand, err)) >= 0) {
		/* The console has options of its own, and reads them all anew. */
		ret->console = option == OPT_CONSOLE;
		if (ret->console)
			return 0;
		if (!rows[option].arg)
			take_flag(ret, option);
		else if (take_value(ret, option, value, err) < 0)
			return options_blame(&rows[option], err);
	}
	if (option != -1)
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
	return settle_endpoint(ret, err);
}

void opts_release(struct opts *opts)
{
	env_release(&opts->env);
	free(opts->sandbox);
}
