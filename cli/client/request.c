/* The request that msb-exec's options make: see request.h. */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base.h"
#include "shared/utf8.h"

static struct msg_text text(const char *string)
{
	return (struct msg_text){string, string ? strlen(string) : 0};
}

/* What a terminal's command should know of the host's: how people want to be spoken to, and colours. */
static bool goes_with_terminal(const char *entry)
{
	static const char *const prefixes[] = {"LANG=", "LC_", "COLORTERM="};

	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncmp(entry, prefixes[i], strlen(prefixes[i])) == 0)
			return utf8_valid(entry, strlen(entry));
	return false;
}

static size_t count_environ(void)
{
	size_t count = 0;

	while (environ[count])
		count++;
	return count;
}

/* The entries of the options, over what goes with a terminal; of a name the last one counts. */
static char **environment(const struct opts *opts, const struct request_terms *terms, char *term,
			  size_t term_len, size_t *ret_count)
{
	const char *name = terms->term ? terms->term : getenv("TERM");
	size_t host = terms->tty ? count_environ() : 0;
	char **entries = reallocarray(NULL, host + opts->env.count + 1, sizeof(char *));

	if (!entries)
		return NULL;
	*ret_count = 0;
	if (terms->tty && !env_has(&opts->env, "TERM")) {
		snprintf(term, term_len, "TERM=%s",
			 name && name[0] && utf8_valid(name, strlen(name)) ? name : "xterm");
		entries[(*ret_count)++] = term;
	}
	for (size_t i = 0; i < host; i++)
		if (goes_with_terminal(environ[i]))
			entries[(*ret_count)++] = environ[i];
	for (size_t i = 0; i < opts->env.count; i++)
		entries[(*ret_count)++] = opts->env.entries[i];
	return entries;
}

/* What becomes of it without us. */
static int ask_to_keep(struct msg_exec_request *request, const struct opts *opts,
		       const struct request_terms *terms, struct err *err)
{
	const char *what = msg_on_disconnect_name(opts->on_disconnect);

	if ((opts->detach || opts->name) && !(terms->features & MSG_FEATURE_SESSIONS))
		return err_set(err, 0, NULL, "this agent cannot keep sessions");
	if (terms->features & MSG_FEATURE_SESSIONS) {
		request->name = text(opts->name);
		request->hold_ms = terms->hold_ms;
		request->detached = opts->detach;
	}
	if (opts->on_disconnect == MSG_DISCONNECT_KILL)
		return 0;
	if (!(terms->features & MSG_FEATURE_ON_DISCONNECT))
		return err_set(err, 0, NULL, "this agent cannot do --on-disconnect %s", what);
	request->on_disconnect = text(what);
	return 0;
}

/* Never fewer limits than asked. */
static int ask_for_limits(struct msg_exec_request *request, const struct opts *opts,
			  uint32_t features, struct err *err)
{
	const char *option = opts->memory_max	? "memory"
			     : opts->cpu_millis ? "cpus"
			     : opts->pids_max	? "pids"
			     : opts->cgroup	? "cgroup"
						: NULL;

	if (!option)
		return 0;
	if (!(features & MSG_FEATURE_CGROUP))
		return err_set(err, 0, NULL, "--%s: this agent has no control groups for sessions",
			       option);
	request->cgroup = true;
	request->memory_max = opts->memory_max;
	request->cpu_millis = opts->cpu_millis;
	request->pids_max = opts->pids_max;
	return 0;
}

/* The keys that a reference agent does not know. */
static int ask_features(struct msg_exec_request *request, const struct opts *opts,
			const struct request_terms *terms, struct err *err)
{
	uint32_t features = terms->features;

	if (features & MSG_FEATURE_TIMEOUT) {
		request->timeout_ms = opts->timeout_ms;
		request->timeout_signal = opts->timeout_signal;
		request->kill_after_ms = opts->kill_after_ms;
	}
	request->merge_output = terms->merges && features & MSG_FEATURE_MERGE_OUTPUT;
	/* Endless too: an agent may have a silence of its own for requests that do not say. */
	if (features & MSG_FEATURE_LINGER) {
		request->has_linger = true;
		request->linger_ms = request->tty && !opts->has_linger ? 0 : opts->linger_ms;
	}
	if (ask_for_limits(request, opts, features, err) < 0)
		return -EINVAL;
	return ask_to_keep(request, opts, terms, err);
}

/* ---- what is run ---- */

/* What the request has of a line for a shell; all NULL: it is none. */
struct line {
	char *text;  /* owned, if it is not the options' own */
	char **args; /* owned */
};

static void release_line(struct line *line)
{
	free(line->text);
	free(line->args);
}

/* As rsh has it the line begins in the user's home; of what goes wrong there nothing is said. */
static bool must_go_home(const struct opts *opts, const struct msg_exec_request *request)
{
	return opts->user_shell && !request->user_shell && !opts->workdir;
}

/* An agent that does not know which shell is the user's has one that is everybody's. */
static int ask_for_line(struct msg_exec_request *request, const struct opts *opts,
			uint32_t features, struct line *line)
{
	size_t count = 0;
	char **args = reallocarray(NULL, opts->command_len + 3, sizeof(char *));

	line->args = args;
	request->login_shell = opts->login && features & MSG_FEATURE_LOGIN_SHELL;
	request->user_shell = opts->user_shell && features & MSG_FEATURE_USER_SHELL;
	/* Not looked at with a key that a relay may know nothing of, and so leave out: then it is this. */
	if (request->login_shell)
		request->cmd = text("");
	else
		request->cmd = text(opts->login || opts->user_shell ? "/bin/sh" : "sh");
	if (must_go_home(opts, request) &&
	    asprintf(&line->text, "cd 2>/dev/null || :\n%s", opts->line) < 0)
		line->text = NULL;
	if (!args || (must_go_home(opts, request) && !line->text))
		return -ENOMEM;
	if (opts->login && !request->login_shell)
		args[count++] = (char *)"-l";
	args[count++] = (char *)"-c";
	args[count++] = line->text ? line->text : (char *)opts->line;
	for (size_t i = 0; i < opts->command_len; i++)
		args[count++] = opts->command[i];
	request->args.strv = args;
	request->args.count = count;
	return 0;
}

static void ask_for_command(struct msg_exec_request *request, const struct opts *opts,
			    uint32_t features)
{
	static char *const login_args[] = {(char *)"-l", NULL};

	if (opts->command_len) {
		request->cmd = text(opts->command[0]);
		request->args.strv = opts->command + 1;
		request->args.count = opts->command_len - 1;
	} else if (features & MSG_FEATURE_LOGIN_SHELL) {
		request->cmd = text("");
		request->login_shell = true;
	} else {
		request->cmd = text("/bin/sh");
		request->args.strv = login_args;
		request->args.count = 1;
	}
}

static int put(struct buf *out, uint32_t id, const struct opts *opts,
	       const struct request_terms *terms, struct msg_exec_request *request, struct err *err)
{
	char term[256];
	char **env = environment(opts, terms, term, sizeof(term), &request->env.count);
	int r;

	if (!env)
		return err_set(err, ENOMEM, NULL, "cannot make the request");
	request->env.strv = env;
	r = msg_put(out, id, MSG_EXEC_REQUEST, request);
	free(env);
	if (r == -EMSGSIZE || r == -ENOBUFS)
		return err_set(err, E2BIG, NULL, "arguments and environment over 4 MiB");
	return r < 0 ? err_set(err, -r, NULL, "cannot make the request") : 0;
}

int request_put(struct buf *out, uint32_t id, const struct opts *opts,
		const struct request_terms *terms, struct err *err)
{
	struct msg_exec_request request = {
		.cwd = text(opts->workdir),
		.user = text(opts->user),
		.tty = terms->tty,
		.rows = terms->size.rows,
		.cols = terms->size.cols,
		.xpixel = terms->size.xpixel,
		.ypixel = terms->size.ypixel,
		.rlimits = {.count = opts->rlimit_count, .limits = opts->rlimits},
		.stdin_window = terms->features & MSG_FEATURE_STDIN_WINDOW,
		.output_window = terms->output_window,
	};
	struct line line = {NULL, NULL};
	int r = 0;

	if (opts->line)
		r = ask_for_line(&request, opts, terms->features, &line);
	else
		ask_for_command(&request, opts, terms->features);
	if (r < 0)
		err_set(err, -r, NULL, "cannot make the request");
	else
		r = ask_features(&request, opts, terms, err);
	if (r == 0)
		r = put(out, id, opts, terms, &request, err);
	release_line(&line);
	return r;
}
