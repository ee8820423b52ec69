/* The options of msb-exec and of its console: see rows.h. */
#include "rows.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/cpus.h"
#include "shared/size.h"
#include "shared/wire/rlimit.h"

#define CTRL(key)	((key)&0x1f)
#define MAX_OUTPUT_MOST (UINT64_C(1) << 30)
#define PIDS_MOST	(1 << 22) /* that the kernel can have */

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

static int take_pids(const char *value, void *target, struct err *err)
{
	unsigned long count;

	if (options_number(value, 1, PIDS_MOST, &count, err) < 0)
		return -EINVAL;
	*(uint64_t *)target = count;
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
void opts_set_endpoint(struct opts *o, const char *text, const char *from)
{
	o->endpoint = text;
	o->endpoint_from = from;
}

static int take_socket(const char *value, void *target, struct err *err)
{
	(void)err;
	opts_set_endpoint(target, value, "--socket");
	return 0;
}

static int take_local(const char *value, void *target, struct err *err)
{
	(void)value;
	(void)err;
	opts_set_endpoint(target, "local:", "--local");
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
	opts_set_endpoint(o, o->sandbox, "--sandbox");
	return 0;
}

/* ---- what is done with kept sessions ---- */

static const char *const action_names[] = {
	[OPTS_SESSIONS] = "sessions", [OPTS_ATTACH] = "attach", [OPTS_WAIT] = "wait",
	[OPTS_LOGS] = "logs",	      [OPTS_SEND] = "send",	[OPTS_KILL] = "kill",
	[OPTS_REMOVE] = "remove",
};

const char *opts_action_name(enum opts_action action)
{
	return action_names[action];
}

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

const struct opts opts_defaults = {
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

#define TO(kind, member) OPTION_TO(kind, struct opts, member)
#define BY(take, member) OPTION_BY(take, struct opts, member)
#define EXEC		 .only = OPTS_EXEC
#define CONSOLE		 .only = OPTS_CONSOLE

const struct option_row opts_rows[] = {
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
	{0, "cgroup", NULL,
	 "put it into a control group of its own, so that a forced end leaves nothing of it",
	 TO(FLAG, cgroup)},
	{0, "memory", "SIZE", "so much memory for all of its processes together, such as 512M",
	 BY(size_parse_memory, memory_max)},
	{0, "cpus", "N", "so many processors' time for all of them, such as 0.5",
	 BY(cpus_parse, cpu_millis)},
	{0, "pids", "N", "so many processes and threads at once", BY(take_pids, pids_max)},
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

const char *opts_find(int argc, char *const argv[], enum opts_program program,
		      const char *const *names)
{
	struct options o = {.rows = opts_rows, .program = program, .argc = argc, .argv = argv};
	const char *value;
	struct err err;
	int i;

	while ((i = options_next(&o, &value, &err)) >= 0)
		for (const char *const *name = names; *name; name++)
			if (strcmp(opts_rows[i].name, *name) == 0)
				return *name;
	return NULL;
}
