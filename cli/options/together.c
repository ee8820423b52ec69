/* What goes together on the command line: see together.h. */
#include "together.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "rows.h"
#include "shared/address/endpoint.h"
#include "shared/base.h"
#include "shared/utf8.h"

#define GUESTS_CONNECT_MS 3000 /* of --guests */

/* The first of these options that was given, or NULL. */
static const char *given(const struct opts *o, const char *const *names)
{
	return opts_find(o->argc, o->argv, OPTS_EXEC, names);
}

/* ---- the texts ---- */

/* The wire carries UTF-8 and nothing else; better refused here than changed on the way. */
static int check_text(const char *what, const char *text, struct err *err)
{
	if (!text || utf8_valid(text, strlen(text)))
		return 0;
	return err_set(err, 0, NULL, "%s is not UTF-8, which is all that the protocol carries",
		       what);
}

int together_check_texts(const struct opts *o, struct err *err)
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

/* ---- the options ---- */

bool together_has_end(const struct opts *o)
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
		 o->json && !together_has_end(o) && !o->guests && o->action != OPTS_SESSIONS},
		{"result", "a command, --attach, --wait or --logs",
		 o->result && !together_has_end(o)},
		{"usage", "a command, --attach or --wait",
		 o->usage && (!together_has_end(o) || o->action == OPTS_LOGS)},
		{"max-output", "a command, --attach or --logs",
		 o->has_max_output && (!together_has_end(o) || o->action == OPTS_WAIT)},
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

static int check_action(struct opts *o, struct err *err)
{
	static const char *const of_start[] = {
		"tty",	      "no-tty",	 "user",   "workdir",	    "env",    "env-file",
		"rlimit",     "timeout", "linger", "on-disconnect", "detach", "name",
		"kill-after", "merge",	 "cgroup", "memory",	    "cpus",   "pids",
		"no-merge",   "command", "login",  "rsh",	    NULL};
	static const char *const of_signal[] = {"signal", NULL};
	const char *name = opts_action_name(o->action), *stray;

	if (o->ping)
		return err_set(err, 0, NULL, "--ping: not together with --%s", name);
	if (o->command_len) {
		err_set(err, 0, NULL, "--%s runs nothing, and so takes no command: %s", name,
			o->command[0]);
		return o->action == OPTS_SEND ? err_hint(err, "what is sent is read from stdin")
					      : -EINVAL;
	}
	stray = given(o, of_start);
	if (stray)
		return err_set(err, 0, NULL, "--%s belongs to the start of a session, not to --%s",
			       stray, name);
	stray = given(o, of_signal);
	if (stray && o->action != OPTS_KILL)
		return err_set(err, 0, NULL, "--signal is for --kill, not for --%s", name);
	/* What a guest's line says is the time-out's. */
	if (!stray)
		o->timeout_signal = opts_defaults.timeout_signal;
	if (o->action == OPTS_SEND && o->no_stdin)
		return err_set(err, 0, NULL, "--send sends stdin, and --no-stdin leaves it alone");
	return check_not_private(o, name, err);
}

static int check_detach(struct opts *o, struct err *err)
{
	static const char *const names[] = {"on-disconnect", NULL};

	if (o->ping)
		return err_set(err, 0, NULL, "--ping: not together with --detach");
	if (o->on_disconnect != MSG_DISCONNECT_KEEP && given(o, names))
		return err_set(err, 0, NULL,
			       "--detach leaves the command, which --on-disconnect is to end");
	o->on_disconnect = MSG_DISCONNECT_KEEP;
	return check_not_private(o, "detach", err);
}

/* Those that answer are there soon. */
static int check_guests(struct opts *o, struct err *err)
{
	static const char *const names[] = {"connect-timeout", NULL};

	if (o->action)
		return err_set(err, 0, NULL, "--guests: not together with --%s",
			       opts_action_name(o->action));
	if (o->ping || o->detach)
		return err_set(err, 0, NULL, "--guests: not together with --%s",
			       o->ping ? "ping" : "detach");
	if (o->command_len || o->line)
		return err_set(err, 0, NULL, "--guests runs nothing, and so takes no command: %s",
			       o->line ? o->line : o->command[0]);
	if (!given(o, names))
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
static int check_exec(struct opts *o, struct err *err)
{
	const char *stray, *of;
	int r = check_line(o, err);

	if (r < 0)
		return r;
	if (o->guests)
		r = check_guests(o, err);
	else if (o->action)
		r = check_action(o, err);
	else if (o->detach)
		r = check_detach(o, err);
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

bool together_can_reconnect(const struct opts *o)
{
	if (o->program == OPTS_CONSOLE)
		return !o->has_on_disconnect || o->on_disconnect == MSG_DISCONNECT_KEEP;
	return o->action || o->on_disconnect == MSG_DISCONNECT_KEEP;
}

int together_check(struct opts *o, struct err *err)
{
	if (o->ping && (o->command_len || o->line))
		return err_set(err, 0, NULL, "--ping runs nothing, and so takes no command: %s",
			       o->line ? o->line : o->command[0]);
	if (o->program == OPTS_CONSOLE && o->command_len)
		return err_set(err, 0, NULL, "%s: a console takes no command; -c LINE runs one",
			       o->command[0]);
	if (o->line && o->file)
		return err_set(err, 0, NULL, "-c and -f exclude each other");
	return o->program == OPTS_EXEC ? check_exec(o, err) : check_console(o, err);
}
