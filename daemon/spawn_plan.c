/* The preparation of a spawn: from a request off the wire to what the child needs. */
#include "spawn_plan.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../shared/rlimit.h"
#include "environ.h"

#define PATH_VALUE_MAX (128 * 1024)  /* the kernel refuses longer strings in an environment */
#define PATHS_MAX      (1024 * 1024) /* bytes of all that is to be tried: thousands of folders */
#define DEFAULT_SHELL  "/bin/sh"

int spawn_fail(const struct spawn *spawn, enum msg_failure kind, const struct err *err,
	       struct spawn_failure *failure)
{
	char words[ERR_TEXT_MAX + 64];
	const char *cmd = spawn->cmd ? spawn->cmd : "";

	failure->kind = kind;
	failure->num = err->num;
	snprintf(failure->stage, sizeof(failure->stage), "%s", err->stage ? err->stage : "");
	err_words(err, words, sizeof(words));
	/* An error of the program itself is told by its name alone. */
	snprintf(failure->message, sizeof(failure->message), "cannot spawn \"%.200s\"%s: %s", cmd,
		 strlen(cmd) > 200 ? "..." : "", err->text[0] ? words : strerror(err->num));
	return -1;
}

static int out_of_memory(const struct spawn *spawn, struct spawn_failure *failure)
{
	struct err err;

	err_set(&err, ENOMEM, "malloc", "cannot prepare the request");
	return spawn_fail(spawn, MSG_FAILURE_OUT_OF_MEMORY, &err, failure);
}

/* Copies a text off the wire as a C string to *at, and moves *at behind it. NULL: a NUL inside. */
static char *copy_text(char **at, struct msg_text text)
{
	char *start = *at;

	if (text.len && memchr(text.ptr, '\0', text.len))
		return NULL;
	if (text.len)
		memcpy(start, text.ptr, text.len);
	start[text.len] = '\0';
	*at += text.len + 1;
	return start;
}

static int bad_nul(const struct spawn *spawn, const char *what, struct spawn_failure *failure)
{
	struct err err;

	err_set(&err, EINVAL, what, "a NUL byte in %s", what);
	return spawn_fail(spawn, strcmp(what, "cwd") ? MSG_FAILURE_BAD_ARGS : MSG_FAILURE_BAD_CWD,
			  &err, failure);
}

/*
 * Whether a user that was asked for is the only one that there may be; and then it is that one, with its
 * groups and its home: other names may have the same number.
 */
static int take_only(struct spawn *spawn, const struct spawn_config *config, struct err *err)
{
	struct user only;
	int r = user_resolve(config->user, strlen(config->user), &only, err);

	if (r < 0)
		return r;
	if (only.uid != spawn->user.uid || only.gid != spawn->user.gid)
		r = err_set(err, 0, "user",
			    "commands run as %.100s and nobody else (msb-execd "
			    "--user =%.100s)",
			    config->user, config->user);
	if (r < 0) {
		user_release(&only);
		return r;
	}
	user_release(&spawn->user);
	spawn->user = only;
	return 0;
}

static int plan_user(struct spawn *spawn, const struct spawn_config *config,
		     const struct msg_exec_request *request, struct spawn_failure *failure)
{
	struct msg_text spec = request->user;
	struct child_plan *plan = &spawn->plan;
	struct err err;

	while (spec.len && isspace((unsigned char)spec.ptr[0])) {
		spec.ptr++;
		spec.len--;
	}
	/* Nothing but blanks is not given, as the reference has it. */
	if (!spec.len && config->user)
		spec = (struct msg_text){config->user, strlen(config->user)};
	if (!spec.len) {
		if (!request->login_shell || user_by_uid(geteuid(), &spawn->user, &err) == 0)
			return 0;
		return spawn_fail(spawn, MSG_FAILURE_USER_SETUP_FAILED, &err, failure);
	}
	if (user_resolve(spec.ptr, spec.len, &spawn->user, &err) < 0 ||
	    (config->only_user && take_only(spawn, config, &err) < 0))
		return spawn_fail(spawn, MSG_FAILURE_USER_SETUP_FAILED, &err, failure);
	plan->uid = spawn->user.uid;
	plan->gid = spawn->user.gid;
	plan->groups = spawn->user.groups;
	plan->group_count = spawn->user.group_count;
	/* Without privilege a switch to oneself is none: setgroups would only fail. */
	plan->switch_user = geteuid() == 0 || plan->uid != geteuid() || plan->gid != getegid();
	return 0;
}

/* Appends "KEY=value" made at *at to the environment. */
static void add_made(struct spawn *spawn, size_t *count, char **at, const char *key,
		     const char *value)
{
	spawn->envp[(*count)++] = *at;
	*at += sprintf(*at, "%s=%s", key, value) + 1;
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

/* What tells a command who it is; over the daemon's own values, under the request's. */
static int add_identity(struct spawn *spawn, size_t *count)
{
	const struct user *user = &spawn->user;
	char *at;

	spawn->made =
		malloc(64 + 2 * length(user->name) + length(user->home) + length(user->shell));
	if (!spawn->made)
		return -ENOMEM;
	at = spawn->made;
	/* Never the daemon's home: a uid without an entry has the root folder. */
	add_made(spawn, count, &at, "HOME", user->home && user->home[0] ? user->home : "/");
	if (user->name) {
		add_made(spawn, count, &at, "USER", user->name);
		add_made(spawn, count, &at, "LOGNAME", user->name);
		add_made(spawn, count, &at, "SHELL", user->shell[0] ? user->shell : DEFAULT_SHELL);
	}
	return 0;
}

static int plan_env(struct spawn *spawn, const struct spawn_config *config,
		    struct msg_exec_request *request, char **at, struct spawn_failure *failure)
{
	size_t max = config->env_count + config->default_env_count + request->env.count + 8;
	size_t count = config->env_count;
	bool identified = spawn->plan.switch_user || request->login_shell;
	struct msg_text entry;
	int settled;

	spawn->envp = reallocarray(NULL, max, sizeof(char *));
	if (!spawn->envp)
		return out_of_memory(spawn, failure);
	if (count)
		memcpy(spawn->envp, config->env, count * sizeof(char *));
	if (identified && add_identity(spawn, &count) < 0)
		return out_of_memory(spawn, failure);
	if (spawn->pwd[strlen("PWD=")] == '/')
		spawn->envp[count++] = spawn->plan.pwd = spawn->pwd;
	for (size_t i = 0; i < config->default_env_count; i++)
		spawn->envp[count++] = config->default_env[i];
	while (msg_next_text(&request->env, &entry)) {
		char *text = copy_text(at, entry);

		if (!text)
			return bad_nul(spawn, "env", failure);
		spawn->envp[count++] = text;
	}
	settled = environ_settle(spawn->envp, count, config->env_count);
	if (settled < 0)
		return out_of_memory(spawn, failure);
	if (!environ_get(spawn->envp, "PATH")) {
		spawn->envp[settled] = (char *)"PATH=" ENVIRON_DEFAULT_PATH;
		spawn->envp[settled + 1] = NULL;
	}
	spawn->plan.envp = spawn->envp;
	return 0;
}

static int plan_args(struct spawn *spawn, struct msg_exec_request *request, char **at,
		     struct spawn_failure *failure)
{
	struct msg_text arg;
	size_t count = 1;

	spawn->argv = reallocarray(NULL, request->args.count + 2, sizeof(char *));
	if (!spawn->argv)
		return out_of_memory(spawn, failure);
	spawn->argv[0] = spawn->cmd;
	while (msg_next_text(&request->args, &arg)) {
		spawn->argv[count] = copy_text(at, arg);
		if (!spawn->argv[count++])
			return bad_nul(spawn, "args", failure);
	}
	spawn->argv[count] = NULL;
	spawn->plan.argv = spawn->argv;
	return 0;
}

/* A command without a slash is looked for in the PATH that it will itself have. */
static int plan_paths(struct spawn *spawn, struct spawn_failure *failure)
{
	const char *path = environ_get(spawn->envp, "PATH");
	size_t cmd_len = strlen(spawn->cmd), entries = 1, count = 0, len;
	bool search = cmd_len && !strchr(spawn->cmd, '/');
	struct err err;
	char *at;

	for (const char *c = path; search && *c; c++)
		entries += *c == ':';
	len = search ? strlen(path) + entries * (cmd_len + 2) : 1;
	if (search && (cmd_len > NAME_MAX || strlen(path) >= PATH_VALUE_MAX || len > PATHS_MAX)) {
		err_set(&err, cmd_len > NAME_MAX ? ENAMETOOLONG : E2BIG, "execve", "PATH search");
		return spawn_fail(spawn, MSG_FAILURE_BAD_ARGS, &err, failure);
	}
	spawn->paths = reallocarray(NULL, entries + 1, sizeof(char *));
	spawn->path_text = malloc(len);
	if (!spawn->paths || !spawn->path_text)
		return out_of_memory(spawn, failure);
	at = spawn->path_text;
	while (search) {
		len = strcspn(path, ":");
		spawn->paths[count++] = at;
		/* An empty entry is the working directory. */
		at += sprintf(at, "%.*s%s%s", (int)len, path, len ? "/" : "", spawn->cmd) + 1;
		if (!path[len])
			break;
		path += len + 1;
	}
	if (!search && cmd_len)
		spawn->paths[count++] = spawn->cmd;
	spawn->paths[count] = NULL;
	spawn->plan.paths = spawn->paths;
	return 0;
}

/* cmd is the shell itself, argv[0] its name behind a dash, as login(1) has it. */
static int plan_login_shell(struct spawn *spawn, struct spawn_failure *failure)
{
	const char *shell =
		spawn->user.shell && spawn->user.shell[0] ? spawn->user.shell : DEFAULT_SHELL;
	const char *slash = strrchr(shell, '/');
	size_t len = strlen(shell) + 1;
	char *text = malloc(2 * len + 2);

	if (!text)
		return out_of_memory(spawn, failure);
	free(spawn->path_text);
	spawn->path_text = text;
	memcpy(text, shell, len);
	text[len] = '-';
	strcpy(text + len + 1, slash ? slash + 1 : shell);
	spawn->argv[0] = text + len;
	spawn->cmd = text;
	spawn->paths = reallocarray(spawn->paths, 2, sizeof(char *));
	if (!spawn->paths)
		return out_of_memory(spawn, failure);
	spawn->paths[0] = text;
	spawn->paths[1] = NULL;
	spawn->plan.paths = spawn->paths;
	return 0;
}

/* Where the request says nothing: a default must not come between it and a higher limit. */
static void add_default_limits(struct spawn *spawn, const struct spawn_config *config)
{
	size_t given = spawn->plan.limit_count;

	for (size_t i = 0; i < config->limit_count; i++) {
		bool named = false;

		for (size_t k = 0; k < given; k++)
			named |= spawn->limits[k].resource == config->limits[i].resource;
		if (!named)
			spawn->limits[spawn->plan.limit_count++] = config->limits[i];
	}
}

static int plan_limits(struct spawn *spawn, const struct spawn_config *config,
		       struct msg_exec_request *request, struct spawn_failure *failure)
{
	struct msg_rlimit limit;
	struct err err;
	int more;

	if (request->rlimits.count > SPAWN_LIMITS_MAX) {
		err_set(&err, 0, "setrlimit", "%zu limits, at most %d", request->rlimits.count,
			SPAWN_LIMITS_MAX);
		return spawn_fail(spawn, MSG_FAILURE_RESOURCE_LIMIT, &err, failure);
	}
	spawn->limits = reallocarray(NULL, request->rlimits.count + config->limit_count + 1,
				     sizeof(*spawn->limits));
	if (!spawn->limits)
		return out_of_memory(spawn, failure);
	while ((more = msg_next_rlimit(&request->rlimits, &limit)) > 0) {
		const struct rlimit_name *name =
			rlimit_find(limit.resource.ptr, limit.resource.len);

		if (!name) {
			err_set(&err, 0, "setrlimit", "unknown resource limit %.*s",
				(int)limit.resource.len, limit.resource.ptr);
			return spawn_fail(spawn, MSG_FAILURE_RESOURCE_LIMIT, &err, failure);
		}
		spawn->limits[spawn->plan.limit_count++] = (struct child_limit){
			name->resource, {.rlim_cur = limit.soft, .rlim_max = limit.hard}};
	}
	if (more < 0) {
		err_set(&err, 0, "setrlimit", "a malformed resource limit");
		return spawn_fail(spawn, MSG_FAILURE_RESOURCE_LIMIT, &err, failure);
	}
	add_default_limits(spawn, config);
	spawn->plan.limits = spawn->limits;
	return 0;
}

static bool is_relative(const char *path)
{
	return path && path[0] && path[0] != '/';
}

/*
 * spawn->pwd: PWD=, and the folder as it is called from the root, of which spawn->cwd is what has to
 * be entered from where the daemon is. A folder without a name is entered all the same.
 */
static int name_folder(struct spawn *spawn, const struct spawn_config *config, const char *asked,
		       struct spawn_failure *failure)
{
	const char *base = is_relative(asked) && asked != config->cwd ? config->cwd : NULL;
	const char *first = base ? base : asked;
	const char *start = !first || is_relative(first) ? config->start_cwd : NULL;
	char *at = malloc(sizeof("PWD=") + length(start) + length(base) + length(asked) + 2);

	spawn->pwd = at;
	if (!at)
		return out_of_memory(spawn, failure);
	at = stpcpy(stpcpy(at, "PWD="), start ? start : "");
	if (start && first && at[-1] != '/')
		*at++ = '/';
	if (first)
		spawn->cwd = at;
	if (base)
		at = stpcpy(stpcpy(at, base), "/");
	stpcpy(at, asked ? asked : "");
	return 0;
}

static int plan_cwd(struct spawn *spawn, const struct spawn_config *config,
		    const struct msg_exec_request *request, char **at,
		    struct spawn_failure *failure)
{
	const char *asked = config->cwd;

	if (request->cwd.ptr) {
		asked = copy_text(at, request->cwd);
		if (!asked)
			return bad_nul(spawn, "cwd", failure);
	} else if (request->login_shell && spawn->user.home && spawn->user.home[0]) {
		asked = spawn->user.home;
		spawn->plan.cwd_optional = true;
	}
	/* Its failure is told later, when the configuration may have changed. */
	if (name_folder(spawn, config, asked, failure) < 0)
		return -1;
	spawn->plan.cwd = spawn->cwd;
	return 0;
}

int spawn_plan(struct spawn *spawn, const struct spawn_config *config,
	       struct msg_exec_request *request, struct spawn_failure *failure)
{
	char *at;

	/* Each text is shorter than its CBOR by its head, which leaves room for the NUL. */
	spawn->text = malloc(request->cmd.len + request->cwd.len + 2 + request->args.cbor.len +
			     request->env.cbor.len);
	if (!spawn->text)
		return out_of_memory(spawn, failure);
	at = spawn->text;
	spawn->cmd = copy_text(&at, request->cmd);
	if (!spawn->cmd)
		return bad_nul(spawn, "cmd", failure);
	spawn->plan.parent = getpid();
	spawn->plan.tty = request->tty;
	spawn->plan.umask = config->umask;
	spawn->plan.nofile = config->restore_nofile ? &config->nofile : NULL;
	spawn->plan.oom_score_adj = config->oom_score_adj[0] ? config->oom_score_adj : NULL;
	spawn->plan.caps = &config->caps;
	if (plan_user(spawn, config, request, failure) < 0 ||
	    plan_cwd(spawn, config, request, &at, failure) < 0 ||
	    plan_args(spawn, request, &at, failure) < 0 ||
	    plan_env(spawn, config, request, &at, failure) < 0 ||
	    plan_limits(spawn, config, request, failure) < 0)
		return -1;
	return request->login_shell ? plan_login_shell(spawn, failure) : plan_paths(spawn, failure);
}
