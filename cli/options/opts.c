/* msb-exec's command line: see opts.h. */
#include "opts.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/address/endpoint.h"
#include "shared/base.h"
#include "shared/options.h"
#include "shared/size.h"
#include "shared/wire/rlimit.h"
#include "shared/wire/utf8.h"

#define CTRL(key)	  ((key)&0x1f)
#define MAX_OUTPUT_MOST	  (UINT64_C(1) << 30)
#define GUESTS_CONNECT_MS 3000 /* of --guests */

static const char endpoint_variable[] = "MSB_EXEC_ENDPOINT";
static const char rsh_name[] = "msb-rsh";
static const char complete_variable[] = "MSB_EXEC_COMPLETE_TIMEOUT";

/* ---- what the options do that are like no other: 0, or -errno with *err filled ---- */

static int take_env(const char *value, void *target, struct err *err)
{
	return env_add(target, value, err);
}

static int take_env_file(const char *value, void *target, struct err *err)
{
	return env_add_file(target, value, err);
}

static const struct rlimit_name *resource_of(const struct msg_rlimit *limit)
{
	return rlimit_find(limit->resource.ptr, limit->resource.len);
}

/* Of two for the same resource the last one counts: the first might not be raised any more. */
static int take_rlimit(const char *value, void *target, struct err *err)
{
	struct opts *o = target;
	struct msg_rlimit limit;
	size_t i = 0;

	if (rlimit_parse(value, &limit, err) < 0)
		return -EINVAL;
	while (i < o->rlimit_count && resource_of(&o->rlimits[i]) != resource_of(&limit))
		i++;
	if (i == OPTS_RLIMITS_MAX)
		return err_set(err, 0, NULL, "more than %d resource limits", OPTS_RLIMITS_MAX);
	o->rlimits[i] = limit;
	o->rlimit_count += i == o->rlimit_count;
	return 0;
}

static int take_linger(const char *value, void *target, struct err *err)
{
	struct opts *o = target;

	o->has_linger = true;
	return duration_parse(value, &o->linger_ms, err);
}

static int take_on_disconnect(const char *value, void *target, struct err *err)
{
	int what = msg_on_disconnect_parse((struct msg_text){value, strlen(value)});
	struct opts *o = target;

	if (what < 0)
		return err_set(err, 0, NULL, "%s is not kill, hangup or keep", value);
	o->has_on_disconnect = true;
	o->on_disconnect = (enum msg_on_disconnect)what;
	return 0;
}

/* Twice: always. */
static int take_tty(const char *value, void *target, struct err *err)
{
	enum opts_tty *tty = target;

	(void)value;
	(void)err;
	*tty = *tty >= OPTS_TTY_IF_TERMINAL ? OPTS_TTY_FORCED : OPTS_TTY_IF_TERMINAL;
	return 0;
}

static int take_no_tty(const char *value, void *target, struct err *err)
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

static int take_socket(const char *value, void *target, struct err *err)
{
	(void)err;
	set_endpoint(target, value, "--socket");
	return 0;
}

static int take_local(const char *value, void *target, struct err *err)
{
	(void)value;
	(void)err;
	set_endpoint(target, "local:", "--local");
	return 0;
}

static int take_sandbox(const char *value, void *target, struct err *err)
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

/* ---- what is done with kept sessions ---- */

static const char *const action_names[] = {
	[OPTS_SESSIONS] = "sessions", [OPTS_ATTACH] = "attach", [OPTS_WAIT] = "wait",
	[OPTS_LOGS] = "logs",	      [OPTS_SEND] = "send",	[OPTS_KILL] = "kill",
	[OPTS_REMOVE] = "remove",
};

static int set_action(struct opts *o, enum opts_action action, const char *session, struct err *err)
{
	if (o->action == action && session)
		return err_set(err, 0, NULL, "one session at a time");
	if (o->action && o->action != action)
		return err_set(err, 0, NULL, "not together with --%s", action_names[o->action]);
	if (session && !session[0])
		return err_set(err, 0, NULL, "no session has an empty name");
	o->action = action;
	o->session = session;
	return 0;
}

static int take_sessions(const char *value, void *target, struct err *err)
{
	(void)value;
	return set_action(target, OPTS_SESSIONS, NULL, err);
}

static int take_attach(const char *value, void *target, struct err *err)
{
	return set_action(target, OPTS_ATTACH, value, err);
}

static int take_wait(const char *value, void *target, struct err *err)
{
	return set_action(target, OPTS_WAIT, value, err);
}

static int take_logs(const char *value, void *target, struct err *err)
{
	return set_action(target, OPTS_LOGS, value, err);
}

static int take_send(const char *value, void *target, struct err *err)
{
	return set_action(target, OPTS_SEND, value, err);
}

static int take_kill(const char *value, void *target, struct err *err)
{
	return set_action(target, OPTS_KILL, value, err);
}

static int take_remove(const char *value, void *target, struct err *err)
{
	return set_action(target, OPTS_REMOVE, value, err);
}

static int take_name(const char *value, void *target, struct err *err)
{
	struct msg_text name = {value, strlen(value)};

	if (name.len > MSG_SESSION_NAME_MAX)
		return err_set(err, 0, NULL, "%s is longer than %d bytes", value,
			       MSG_SESSION_NAME_MAX);
	if (!msg_is_session_name(name)) {
		err_set(err, 0, NULL, "%s is no name for a session", value);
		return err_hint(err, "letters, digits and ._- behind a letter or a digit, and not "
				     "what looks like an id");
	}
	*(const char **)target = value;
	return 0;
}

static int take_max_output(const char *value, void *target, struct err *err)
{
	struct opts *o = target;

	o->has_max_output = true;
	if (size_parse(value, &o->max_output, err) < 0)
		return -EINVAL;
	/* Half of it is held. */
	return o->max_output > MAX_OUTPUT_MOST ? err_set(err, 0, NULL, "%s is more than 1G", value)
					       : 0;
}

static int take_merge(const char *value, void *target, struct err *err)
{
	(void)value;
	(void)err;
	*(enum opts_merge *)target = OPTS_MERGE_ALWAYS;
	return 0;
}

static int take_no_merge(const char *value, void *target, struct err *err)
{
	(void)value;
	(void)err;
	*(enum opts_merge *)target = OPTS_MERGE_NEVER;
	return 0;
}

static int take_since(const char *value, void *target, struct err *err)
{
	struct opts *o = target;

	o->has_since = true;
	return value_count(value, &o->since, err);
}

static int take_reconnect(const char *value, void *target, struct err *err)
{
	struct opts *o = target;

	o->has_reconnect = true;
	return duration_parse(value, &o->reconnect_ms, err);
}

/* ---- the options ---- */

#define TO(kind, member) OPTION_TO(kind, struct opts, member)
#define BY(take, member) OPTION_BY(take, struct opts, member)
#define EXEC		 .only = OPTS_EXEC
#define CONSOLE		 .only = OPTS_CONSOLE

static const struct option_row rows[] = {
	{'c', "command", "LINE", "run this line, or these lines, and leave", TO(TEXT, line),
	 CONSOLE},
	{'c', "command", "LINE",
	 "run this line with the user's sh -c; what follows is its $0, $1 and so on",
	 TO(TEXT, line), EXEC},
	{0, "login", NULL, "with -c: by the user's own shell, as a login shell", TO(FLAG, login),
	 EXEC},
	{0, "rsh", NULL,
	 "the rest is [-l USER] GUEST [WORD]..., as rsync, git and others call rsh or ssh",
	 .kind = OPTION_IGNORED, EXEC},
	{'f', "file", "FILE", "run the lines of a file of the host, or of stdin (-), and leave",
	 TO(TEXT, file), CONSOLE},
	{0, "shell", "COMMAND",
	 "the guest's shell, such as dash or 'busybox sh' (default bash if there, else /bin/sh)",
	 TO(TEXT, shell), CONSOLE},
	{0, "complete-timeout", "DURATION",
	 "how long Tab waits for the guest's answer (default 300ms; 0 or inf: until Ctrl-C)",
	 TO(LIMIT_INFINITE, complete_ms), CONSOLE},
	{0, "console", NULL, "accepted and needless: this is it", .kind = OPTION_IGNORED, CONSOLE},
	{'S', "socket", "ENDPOINT",
	 "the agent's address: unix:/path, vsock:CID:PORT, hvsock:/path:PORT, exec:COMMAND, or a "
	 "guest's name",
	 OPTION_BY_ALL(take_socket)},
	{'s', "sandbox", "NAME", "the same of a microsandbox sandbox", OPTION_BY_ALL(take_sandbox)},
	{0, "local", NULL, "start a private msb-execd for this alone", OPTION_BY_ALL(take_local)},
	{0, "connect-timeout", "DURATION",
	 "give up if no agent has answered by then (default 10s; 0 or inf: never)",
	 TO(LIMIT_INFINITE, connect_ms)},
	{0, "wait-for", "DURATION",
	 "try to connect again and again for so long, while there is no agent yet",
	 TO(DURATION, wait_ms)},
	{0, "keepalive", "DURATION",
	 "ask a silent agent for a sign of life after this time, and give up after as much again "
	 "(default 10s; 0 or inf: never)",
	 TO(LIMIT, keepalive_ms)},
	{'t', "tty", NULL, "give the command a terminal, if stdin is one; twice: always",
	 BY(take_tty, tty), EXEC},
	{'T', "no-tty", NULL, "give it none", BY(take_no_tty, tty), EXEC},
	{'i', "interactive", NULL, "accepted and needless: stdin streams anyway",
	 .kind = OPTION_IGNORED, EXEC},
	{'n', "no-stdin", NULL, "do not read stdin: the command finds it at its end",
	 TO(FLAG, no_stdin), EXEC},
	{'u', "user", "USER[:GROUP]", "run as this user of the guest, by name or number",
	 TO(TEXT, user)},
	{'w', "workdir", "DIR", "run in this folder of the guest", TO(TEXT, workdir)},
	{'e', "env", "NAME[=VALUE]", "set a variable, or copy the host's; repeatable",
	 BY(take_env, env)},
	{0, "env-file", "FILE", "set variables from lines NAME=VALUE; repeatable",
	 BY(take_env_file, env)},
	{0, "rlimit", "NAME=SOFT[:HARD]",
	 "set a resource limit, such as nofile=64:128 or as=1G; repeatable",
	 OPTION_BY_ALL(take_rlimit)},
	{0, "timeout", "DURATION", "end the command after this time (exit status 124)",
	 TO(LIMIT, timeout_ms)},
	{'k', "kill-after", "DURATION",
	 "kill it this long after the time-out's signal (default 5s, 0 never)",
	 TO(LIMIT, kill_after_ms)},
	{0, "signal", "SIGNAL", "the signal of the time-out, or of --kill (default TERM)",
	 BY(value_signal, timeout_signal), EXEC},
	{0, "signal", "SIGNAL", "the time-out's signal (default TERM)",
	 BY(value_signal, timeout_signal), CONSOLE},
	{0, "linger", "DURATION",
	 "wait for descendants that hold the output until they are silent for so long (default "
	 "500ms; inf: until they end)",
	 OPTION_BY_ALL(take_linger)},
	{0, "on-disconnect", "WHAT",
	 "kill, hangup or keep the command if msb-exec is lost (default kill)",
	 OPTION_BY_ALL(take_on_disconnect), EXEC},
	{0, "on-disconnect", "WHAT",
	 "kill, hangup or keep the shell if the console is lost (default keep, for --reconnect, "
	 "and "
	 "else kill)",
	 OPTION_BY_ALL(take_on_disconnect), CONSOLE},
	{0, "escape-char", "C",
	 "in a terminal, after a newline, C? tells what msb-exec itself does (default ~; ^X: a "
	 "control character; none)",
	 BY(value_escape_char, escape_char), EXEC},
	{0, "detach-keys", "SEQ",
	 "keys that disconnect, such as ctrl-p,ctrl-q (default ctrl-] three times within a second; "
	 "empty: none)",
	 BY(value_keys, detach_keys), EXEC},
	{'d', "detach", NULL, "leave the command once it runs, and print its session's id",
	 TO(FLAG, detach), EXEC},
	{0, "name", "NAME", "keep the session under this name, too", BY(take_name, name), EXEC},
	{0, "reconnect", "DURATION",
	 "if the connection to a kept session is lost, try for so long to come back (default 1m in "
	 "a terminal, else 0)",
	 OPTION_BY_ALL(take_reconnect), EXEC},
	{0, "reconnect", "DURATION",
	 "if the connection is lost, try for so long to come back to the shell (default 1m; 0: it "
	 "ends with the connection)",
	 OPTION_BY_ALL(take_reconnect), CONSOLE},
	{0, "sessions", NULL, "list the sessions that are kept", OPTION_BY_ALL(take_sessions),
	 EXEC},
	{0, "guests", NULL, "list the guests that have names, and which of them answer",
	 TO(FLAG, guests), EXEC},
	{0, "json", NULL,
	 "print objects of JSON, a line each: the command's start, its output and how it ended; "
	 "also with --sessions and --guests",
	 TO(FLAG, json), EXEC},
	{0, "result", "FILE",
	 "write how it ended there, as an object of JSON; fd:N: to that descriptor",
	 TO(TEXT, result), EXEC},
	{0, "usage", NULL, "say on stderr what time and memory it took", TO(FLAG, usage), EXEC},
	{0, "max-output", "SIZE",
	 "of each stream print only the beginning and the end, together so much, and what lies "
	 "between as a number",
	 OPTION_BY_ALL(take_max_output), EXEC},
	{0, "merge", NULL,
	 "stdout and stderr are one pipe for the command, so that their order stays (default: "
	 "where ours are the same open file)",
	 BY(take_merge, merge), EXEC},
	{0, "no-merge", NULL, "they are two, wherever ours go", BY(take_no_merge, merge), EXEC},
	{0, "log-file", "FILE", "our own lines go there, and not to stderr", TO(TEXT, log_file),
	 EXEC},
	{0, "attach", "ID", "come back to a kept session, by its id or its name",
	 OPTION_BY_ALL(take_attach), EXEC},
	{0, "watch", NULL, "with --attach: look on, and leave it to whoever has it",
	 TO(FLAG, watch), EXEC},
	{0, "since", "BYTE",
	 "with --attach or --logs: begin with this byte of its stdout (default: the first that is "
	 "held)",
	 OPTION_BY_ALL(take_since), EXEC},
	{0, "wait", "ID", "wait for its end, and end as it did", OPTION_BY_ALL(take_wait), EXEC},
	{0, "logs", "ID", "print what is held of its output", OPTION_BY_ALL(take_logs), EXEC},
	{0, "send", "ID", "send our stdin to its stdin", OPTION_BY_ALL(take_send), EXEC},
	{0, "eof", NULL, "with --send: and end its stdin then", TO(FLAG, send_eof), EXEC},
	{0, "kill", "ID", "send it a signal, that of --signal", OPTION_BY_ALL(take_kill), EXEC},
	{0, "remove", "ID", "forget it, if it has ended", OPTION_BY_ALL(take_remove), EXEC},
	{0, "console", NULL,
	 "a prompt in the guest (msb-exec-console), or lines for its shell, with these options",
	 .kind = OPTION_IGNORED, EXEC},
	{0, "ping", NULL, "ask the agent for a sign of life, and run nothing", TO(FLAG, ping),
	 EXEC},
	{'q', "quiet", NULL, "no warnings", TO(FLAG, quiet)},
	{'v', "verbose", NULL, "say what happens", TO(FLAG, verbose)},
	OPTIONS_LAST(struct opts),
};

void opts_help_options(enum opts_program program)
{
	options_help(stdout, rows, program);
}

void opts_help(void)
{
	puts("Usage: msb-exec [OPTION]... [--] COMMAND [ARG]...\n"
	     "       msb-exec [OPTION]...\n"
	     "       msb-exec [OPTION]... -c LINE [ARG]...\n"
	     "       msb-exec [OPTION]... --rsh [-l USER] GUEST [WORD]...\n"
	     "       msb-exec --sessions [--json] [OPTION]...\n"
	     "       msb-exec --attach|--wait|--logs|--send|--kill|--remove ID [OPTION]...\n"
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
	    check_text(o->user_shell ? "the line of --rsh" : "--command", o->line, err) < 0 ||
	    check_text("--shell", o->shell, err) < 0 ||
	    check_text("the session's name", o->session, err) < 0)
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

/* The first of these options among argv's, or NULL. What is wrong there is for opts_parse() to say. */
static const char *find_option(int argc, char *argv[], enum opts_program program,
			       const char *const *names)
{
	struct options o = {.rows = rows, .program = program, .argc = argc, .argv = argv};
	const char *value;
	struct err err;
	int i;

	while ((i = options_next(&o, &value, &err)) >= 0)
		for (const char *const *name = names; *name; name++)
			if (strcmp(rows[i].name, *name) == 0)
				return *name;
	return NULL;
}

/*
 * Where --rsh stands, behind which comes another language, or -1. Whoever is called msb-rsh knows no
 * other.
 */
static int find_rsh(int argc, char *argv[])
{
	struct options o = {.rows = rows, .program = OPTS_EXEC, .argc = argc, .argv = argv};
	const char *name = argc ? strrchr(argv[0], '/') : NULL, *value;
	struct err err;
	int i;

	if (argc && strcmp(name ? name + 1 : argv[0], rsh_name) == 0)
		return 0;
	while ((i = options_next(&o, &value, &err)) >= 0)
		if (strcmp(rows[i].name, "rsh") == 0)
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

	return find_option(count_ours(argc, argv), argv, OPTS_EXEC, names);
}

bool opts_want_lines(int argc, char *argv[])
{
	static const char *const answers[] = {"help", "version", NULL};
	static const char *const lines[] = {"command", "file", NULL};

	return !find_option(argc, argv, OPTS_CONSOLE, answers) &&
	       (find_option(argc, argv, OPTS_CONSOLE, lines) || !isatty(STDIN_FILENO));
}

const char *opts_log_file(int argc, char *argv[], enum opts_program program)
{
	struct options o = {.rows = rows, .program = program, .argc = argc, .argv = argv};
	const char *value, *file = NULL;
	struct err err;
	int i;

	while ((i = options_next(&o, &value, &err)) >= 0)
		if (strcmp(rows[i].name, "log-file") == 0)
			file = value;
	return file;
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
	static const char *const names[] = {"connect-timeout", "wait-for",
					    "keepalive",       "user",
					    "workdir",	       "env",
					    "env-file",	       "rlimit",
					    "timeout",	       "kill-after",
					    "signal",	       "linger",
					    "reconnect",       "escape-char",
					    "detach-keys",     "shell",
					    "on-disconnect",   "complete-timeout"};

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
	struct options o = {
		.rows = rows, .program = program, .argc = line->word_count, .argv = line->words};
	const char *value;
	bool ours;
	int i;

	while ((i = next_of_both(&o, &value, &ours, err)) >= 0) {
		if (!is_of_guests(rows[i].name))
			return err_set(err, 0, NULL, "--%s is not for a guest's line",
				       rows[i].name);
		if (trial ? rows[i].take == take_env_file : !ours)
			continue;
		if (options_take(&rows[i], value, ret, err) < 0)
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
	struct opts trial = defaults;
	int r = take_line(line, OPTS_EXEC, true, &trial, err);

	(void)unused;
	opts_release(&trial);
	return r;
}

int opts_use_guest(struct opts *opts, enum opts_program program, const char *text, const char *from,
		   struct err *err)
{
	struct endpoint endpoint;
	struct err ignored;
	int r;

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
	struct options o = {.rows = rows, .program = program, .argc = argc, .argv = argv};
	const char *address = rsh->guest ? rsh->guest : getenv(endpoint_variable), *value;
	struct err err;
	int i;

	*ret_from = rsh->guest ? "--rsh" : endpoint_variable;
	while ((i = options_next(&o, &value, &err)) >= 0) {
		if (rows[i].take == take_socket) {
			address = value;
			*ret_from = "--socket";
		} else if (rows[i].take == take_sandbox || rows[i].take == take_local) {
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

	if (!address || ret->rsh.describes || find_option(argc, argv, program, others))
		return 0;
	return opts_use_guest(ret, program, address, from, err);
}

/* ---- what goes together ---- */

/* Whether there is an end of a command to tell of. */
static bool has_end(const struct opts *o)
{
	return !o->ping && !o->guests &&
	       (o->action == OPTS_RUN || o->action == OPTS_ATTACH || o->action == OPTS_WAIT ||
		o->action == OPTS_LOGS);
}

/* An option that says more about others, and whether one of those is there. */
static const char *find_stray(const struct opts *o, const char **ret_of)
{
	const struct {
		const char *name, *of;
		bool stray;
	} rules[] = {
		{"json", "a command, --attach, --wait, --logs, --sessions or --guests",
		 o->json && !has_end(o) && !o->guests && o->action != OPTS_SESSIONS},
		{"result", "a command, --attach, --wait or --logs", o->result && !has_end(o)},
		{"usage", "a command, --attach or --wait",
		 o->usage && (!has_end(o) || o->action == OPTS_LOGS)},
		{"max-output", "a command, --attach or --logs",
		 o->has_max_output && (!has_end(o) || o->action == OPTS_WAIT)},
		{"watch", "--attach", o->watch && o->action != OPTS_ATTACH},
		{"since", "--attach or --logs",
		 o->has_since && o->action != OPTS_ATTACH && o->action != OPTS_LOGS},
		{"eof", "--send", o->send_eof && o->action != OPTS_SEND},
		{"name", "--detach or --on-disconnect keep",
		 o->name && o->on_disconnect != MSG_DISCONNECT_KEEP},
		{"reconnect", "a session that is kept: --on-disconnect keep or --attach",
		 o->has_reconnect && o->reconnect_ms && !o->action &&
			 o->on_disconnect != MSG_DISCONNECT_KEEP},
	};

	for (size_t i = 0; i < ARRAY_LEN(rules); i++) {
		if (!rules[i].stray)
			continue;
		*ret_of = rules[i].of;
		return rules[i].name;
	}
	return NULL;
}

/* A private agent ends with us, and so does all that it would keep. */
static int check_not_private(const struct opts *o, const char *what, struct err *err)
{
	struct endpoint endpoint;
	struct err ignored;

	if (!o->endpoint || endpoint_parse(o->endpoint, ENDPOINT_CLIENT, &endpoint, &ignored) < 0 ||
	    endpoint.kind != ENDPOINT_LOCAL)
		return 0;
	return err_set(err, 0, NULL, "--%s: a private agent ends with msb-exec, and keeps nothing",
		       what);
}

static int check_action(struct opts *o, int argc, char *argv[], struct err *err)
{
	static const char *const of_start[] = {
		"tty",	    "no-tty",  "user",		"workdir", "env",  "env-file",	 "rlimit",
		"timeout",  "linger",  "on-disconnect", "detach",  "name", "kill-after", "merge",
		"no-merge", "command", "login",		"rsh",	   NULL};
	static const char *const of_signal[] = {"signal", NULL};
	const char *name = action_names[o->action], *stray;

	if (o->ping)
		return err_set(err, 0, NULL, "--ping: not together with --%s", name);
	if (o->command_len) {
		err_set(err, 0, NULL, "--%s runs nothing, and so takes no command: %s", name,
			o->command[0]);
		return o->action == OPTS_SEND ? err_hint(err, "what is sent is read from stdin")
					      : -EINVAL;
	}
	stray = find_option(argc, argv, OPTS_EXEC, of_start);
	if (stray)
		return err_set(err, 0, NULL, "--%s belongs to the start of a session, not to --%s",
			       stray, name);
	stray = find_option(argc, argv, OPTS_EXEC, of_signal);
	if (stray && o->action != OPTS_KILL)
		return err_set(err, 0, NULL, "--signal is for --kill, not for --%s", name);
	/* What a guest's line says is the time-out's. */
	if (!stray)
		o->timeout_signal = defaults.timeout_signal;
	if (o->action == OPTS_SEND && o->no_stdin)
		return err_set(err, 0, NULL, "--send sends stdin, and --no-stdin leaves it alone");
	return check_not_private(o, name, err);
}

static int check_detach(struct opts *o, int argc, char *argv[], struct err *err)
{
	static const char *const names[] = {"on-disconnect", NULL};

	if (o->ping)
		return err_set(err, 0, NULL, "--ping: not together with --detach");
	if (o->on_disconnect != MSG_DISCONNECT_KEEP && find_option(argc, argv, OPTS_EXEC, names))
		return err_set(err, 0, NULL,
			       "--detach leaves the command, which --on-disconnect is to end");
	o->on_disconnect = MSG_DISCONNECT_KEEP;
	return check_not_private(o, "detach", err);
}

/* Those that answer are there soon. */
static int check_guests(struct opts *o, int argc, char *argv[], struct err *err)
{
	static const char *const names[] = {"connect-timeout", NULL};

	if (o->action)
		return err_set(err, 0, NULL, "--guests: not together with --%s",
			       action_names[o->action]);
	if (o->ping || o->detach)
		return err_set(err, 0, NULL, "--guests: not together with --%s",
			       o->ping ? "ping" : "detach");
	if (o->command_len || o->line)
		return err_set(err, 0, NULL, "--guests runs nothing, and so takes no command: %s",
			       o->line ? o->line : o->command[0]);
	if (!find_option(argc, argv, OPTS_EXEC, names))
		o->connect_ms = GUESTS_CONNECT_MS;
	return 0;
}

static int check_line(const struct opts *o, struct err *err)
{
	if (o->login && o->user_shell)
		return err_set(err, 0, NULL, "--login: not together with --rsh");
	if (!o->login || o->line || !o->command_len)
		return 0;
	err_set(err, 0, NULL, "--login is for a line of -c, and not for a command: %s",
		o->command[0]);
	return err_hint(err, "--login -c LINE runs a line by the user's login shell");
}

/* Of msb-exec alone. */
static int check_together(struct opts *o, int argc, char *argv[], struct err *err)
{
	const char *stray, *of;
	int r = check_line(o, err);

	if (r < 0)
		return r;
	if (o->guests)
		r = check_guests(o, argc, argv, err);
	else if (o->action)
		r = check_action(o, argc, argv, err);
	else if (o->detach)
		r = check_detach(o, argc, argv, err);
	if (r < 0)
		return r;
	stray = find_stray(o, &of);
	return stray ? err_set(err, 0, NULL, "--%s is for %s", stray, of) : 0;
}

static int check_console(const struct opts *o, struct err *err)
{
	if (!o->has_reconnect || !o->reconnect_ms || !o->has_on_disconnect ||
	    o->on_disconnect == MSG_DISCONNECT_KEEP)
		return 0;
	return err_set(err, 0, NULL,
		       "--reconnect is for a shell that is kept, not for --on-disconnect %s",
		       msg_on_disconnect_name(o->on_disconnect));
}

static bool can_reconnect(const struct opts *o)
{
	if (o->program == OPTS_CONSOLE)
		return !o->has_on_disconnect || o->on_disconnect == MSG_DISCONNECT_KEEP;
	return o->action || o->on_disconnect == MSG_DISCONNECT_KEEP;
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

	if (find_option(ours, argv, OPTS_EXEC, answers))
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
		set_endpoint(o, rsh->guest, "--rsh");
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

static int check_all(struct opts *o, struct err *err)
{
	if (o->ping && (o->command_len || o->line))
		return err_set(err, 0, NULL, "--ping runs nothing, and so takes no command: %s",
			       o->line ? o->line : o->command[0]);
	if (o->program == OPTS_CONSOLE && o->command_len)
		return err_set(err, 0, NULL, "%s: a console takes no command; -c LINE runs one",
			       o->command[0]);
	if (o->line && o->file)
		return err_set(err, 0, NULL, "-c and -f exclude each other");
	if (!o->guests && settle_endpoint(o, err) < 0)
		return -EINVAL;
	return o->program == OPTS_EXEC ? check_together(o, o->argc, o->argv, err)
				       : check_console(o, err);
}

/* All that is there before the command line: defaults, and what a guest's line says. */
static int begin(int argc, char *argv[], enum opts_program program, struct opts *ret,
		 struct err *err)
{
	*ret = defaults;
	ret->argc = argc;
	ret->argv = argv;
	ret->program = program;
	return program == OPTS_CONSOLE ? take_environment(ret, err) : 0;
}

/* What a guest's line says of coming back is for what is kept, and no error elsewhere. */
static bool put_off_reconnect(struct opts *o)
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
	struct options o = {.rows = rows, .program = program, .argc = ours, .argv = argv};
	bool reconnects;
	int r = begin(ours, argv, program, ret, err);

	ret->user_shell = rsh_at >= 0;
	if (r < 0 || (rsh_at >= 0 && read_rsh(argc, argv, ours, ret, err) < 0) ||
	    take_guest(ours, argv, program, ret, err) < 0)
		return -EINVAL;
	reconnects = put_off_reconnect(ret);
	if (options_parse(&o, ret, err) < 0)
		return -EINVAL;
	ret->command = argv + (rsh_at < 0 ? o.at + 1 : argc);
	ret->command_len = rsh_at < 0 && argc > o.at ? (size_t)(argc - o.at - 1) : 0;
	if ((rsh_at >= 0 && settle_rsh(ret, err) < 0) || check_texts(ret, err) < 0)
		return -EINVAL;
	if (ret->help || ret->version || ret->rsh.describes)
		return 0;
	if (check_all(ret, err) < 0)
		return -EINVAL;
	ret->has_reconnect |= reconnects && can_reconnect(ret);
	return 0;
}

/* Who asked to be told is told, whatever else is wrong on the line. */
static void find_reports(int argc, char *argv[], struct opts *ret)
{
	struct options o = {.rows = rows, .program = OPTS_EXEC, .argc = argc, .argv = argv};
	const char *value;
	struct err err;
	int i;

	while ((i = options_next(&o, &value, &err)) != -1) {
		const char *name = i >= 0 ? rows[i].name : "";

		ret->json |= strcmp(name, "json") == 0;
		if (strcmp(name, "result") == 0)
			ret->result = value;
		if (i < 0)
			o.letters = NULL;
	}
	ret->json &= has_end(ret);
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
	return row->take != take_env && row->take != take_env_file &&
	       strcmp(row->name, "workdir") != 0;
}

static int take_again(const struct opts *of, struct opts *ret, struct err *err)
{
	struct options o = {
		.rows = rows, .program = of->program, .argc = of->argc, .argv = of->argv};
	const char *value;
	int i;

	while ((i = options_next(&o, &value, err)) >= 0)
		if (is_taken_again(&rows[i]) && options_take(&rows[i], value, ret, err) < 0)
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
	reconnects = put_off_reconnect(ret);
	if (take_again(of, ret, err) < 0)
		return -EINVAL;
	free(ret->sandbox);
	ret->sandbox = strdup(text);
	if (!ret->sandbox)
		return err_set(err, ENOMEM, NULL, "%s", text);
	set_endpoint(ret, ret->sandbox, from);
	if (settle_endpoint(ret, err) < 0)
		return -EINVAL;
	ret->has_reconnect |= reconnects && can_reconnect(ret);
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
