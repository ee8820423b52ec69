/* From a request off the wire to what the child needs: see plan.h. */
#include "plan.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "environ.h"
#include "shared/wire/rlimit.h"

#define PATH_VALUE_MAX (128 * 1024)  /* the kernel refuses longer strings in an environment */
#define STRINGS_MAX    (256 * 1024)  /* arguments and variables: eight MiB of stack take fewer */
#define PATHS_MAX      (1024 * 1024) /* bytes of all that is to be tried: thousands of folders */
#define DEFAULT_SHELL  "/bin/sh"

/* The user's own, whatever its name; cmd is not looked at. */
static bool wants_shell(const struct msg_exec_request *request)
{
	return request->login_shell || request->user_shell;
}

static int out_of_memory(const struct spawn_plan *plan, struct spawn_failure *failure)
{
	struct err err;

	err_set(&err, ENOMEM, NULL, "cannot prepare the request");
	return spawn_fail(failure, SPAWN_MEMORY, plan->cmd, &err);
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

static int bad_nul(const struct spawn_plan *plan, enum spawn_stage stage,
		   struct spawn_failure *failure)
{
	struct err err;

	err_set(&err, EINVAL, NULL, "a NUL byte in %s", spawn_stage_text(stage));
	return spawn_fail(failure, stage, plan->cmd, &err);
}

/*
 * Whether a user that was asked for is the only one that there may be; and then it is that one, with its
 * groups and its home: other names may have the same number.
 */
static int take_only(struct spawn_plan *plan, const struct spawn_config *config, struct err *err)
{
	struct user only;
	int r = user_resolve(config->user, strlen(config->user), &only, err);

	if (r < 0)
		return r;
	if (only.uid != plan->user.uid || only.gid != plan->user.gid)
		r = err_set(err, 0, NULL,
			    "commands run as %.100s and nobody else (msb-execd "
			    "--user =%.100s)",
			    config->user, config->user);
	if (r < 0) {
		user_release(&only);
		return r;
	}
	user_release(&plan->user);
	plan->user = only;
	return 0;
}

static int plan_user(struct spawn_plan *plan, const struct spawn_config *config,
		     const struct msg_exec_request *request, struct spawn_failure *failure)
{
	const char *what = wants_shell(request) ? "the user's shell" : plan->cmd;
	struct msg_text spec = request->user;
	struct child_plan *child = &plan->child;
	struct err err;

	while (spec.len && isspace((unsigned char)spec.ptr[0])) {
		spec.ptr++;
		spec.len--;
	}
	/* Nothing but blanks is not given, as the reference has it. */
	if (!spec.len && config->user)
		spec = (struct msg_text){config->user, strlen(config->user)};
	if (!spec.len) {
		if (!wants_shell(request) || user_by_uid(geteuid(), &plan->user, &err) == 0)
			return 0;
		return spawn_fail(failure, SPAWN_USER, what, &err);
	}
	if (user_resolve(spec.ptr, spec.len, &plan->user, &err) < 0 ||
	    (config->only_user && take_only(plan, config, &err) < 0))
		return spawn_fail(failure, SPAWN_USER, what, &err);
	child->uid = plan->user.uid;
	child->gid = plan->user.gid;
	child->groups = plan->user.groups;
	child->group_count = plan->user.group_count;
	/* Without privilege a switch to oneself is none: setgroups would only fail. */
	child->switch_user = geteuid() == 0 || child->uid != geteuid() || child->gid != getegid();
	child->drop_caps = child->uid != 0 && child->uid != geteuid();
	return 0;
}

/* Appends "KEY=value" made at *at to the environment. */
static void add_made(struct spawn_plan *plan, size_t *count, char **at, const char *key,
		     const char *value)
{
	plan->envp[(*count)++] = *at;
	*at += sprintf(*at, "%s=%s", key, value) + 1;
}

static size_t length(const char *text)
{
	return text ? strlen(text) : 0;
}

/* What tells a command who it is; over the daemon's own values, under the request's. */
static int add_identity(struct spawn_plan *plan, size_t *count)
{
	const struct user *user = &plan->user;
	char *at;

	plan->made = malloc(64 + 2 * length(user->name) + length(user->home) + length(user->shell));
	if (!plan->made)
		return -ENOMEM;
	at = plan->made;
	/* Never the daemon's home: a uid without an entry has the root folder. */
	add_made(plan, count, &at, "HOME", user->home && user->home[0] ? user->home : "/");
	if (user->name) {
		add_made(plan, count, &at, "USER", user->name);
		add_made(plan, count, &at, "LOGNAME", user->name);
		add_made(plan, count, &at, "SHELL", user->shell[0] ? user->shell : DEFAULT_SHELL);
	}
	return 0;
}

static int plan_env(struct spawn_plan *plan, const struct spawn_config *config,
		    struct msg_exec_request *request, char **at, struct spawn_failure *failure)
{
	size_t max = config->env_count + config->default_env_count + request->env.count + 8;
	size_t count = config->env_count;
	bool identified = plan->child.switch_user || wants_shell(request);
	struct msg_text entry;
	int settled;

	plan->envp = reallocarray(NULL, max, sizeof(char *));
	if (!plan->envp)
		return out_of_memory(plan, failure);
	if (count)
		memcpy(plan->envp, config->env, count * sizeof(char *));
	if (identified && add_identity(plan, &count) < 0)
		return out_of_memory(plan, failure);
	/* It is always there; an analyzer does not see that far. */
	if (plan->pwd && plan->pwd[strlen("PWD=")] == '/')
		plan->envp[count++] = plan->child.pwd = plan->pwd;
	for (size_t i = 0; i < config->default_env_count; i++)
		plan->envp[count++] = config->default_env[i];
	while (msg_next_text(&request->env, &entry)) {
		char *text = copy_text(at, entry);

		if (!text)
			return bad_nul(plan, SPAWN_ENV, failure);
		plan->envp[count++] = text;
	}
	settled = environ_settle(plan->envp, count, config->env_count);
	if (settled < 0)
		return out_of_memory(plan, failure);
	if (!environ_get(plan->envp, "PATH")) {
		plan->envp[settled] = (char *)"PATH=" ENVIRON_DEFAULT_PATH;
		plan->envp[settled + 1] = NULL;
	}
	plan->child.envp = plan->envp;
	return 0;
}

static int plan_args(struct spawn_plan *plan, struct msg_exec_request *request, char **at,
		     struct spawn_failure *failure)
{
	struct msg_text arg;
	size_t count = 1;

	plan->argv = reallocarray(NULL, request->args.count + 2, sizeof(char *));
	if (!plan->argv)
		return out_of_memory(plan, failure);
	plan->argv[0] = plan->cmd;
	while (msg_next_text(&request->args, &arg)) {
		plan->argv[count] = copy_text(at, arg);
		if (!plan->argv[count++])
			return bad_nul(plan, SPAWN_ARGS, failure);
	}
	plan->argv[count] = NULL;
	plan->child.argv = plan->argv;
	return 0;
}

/* A command without a slash is looked for in the PATH that it will itself have. */
static int plan_paths(struct spawn_plan *plan, struct spawn_failure *failure)
{
	const char *path = environ_get(plan->envp, "PATH");
	size_t cmd_len = strlen(plan->cmd), entries = 1, count = 0, len;
	bool search = cmd_len && !strchr(plan->cmd, '/');
	struct err err;
	char *at;

	for (const char *c = path; search && *c; c++)
		entries += *c == ':';
	len = search ? strlen(path) + entries * (cmd_len + 2) : 1;
	if (search && (cmd_len > NAME_MAX || strlen(path) >= PATH_VALUE_MAX || len > PATHS_MAX)) {
		err_set(&err, cmd_len > NAME_MAX ? ENAMETOOLONG : E2BIG, NULL, "PATH search");
		return spawn_fail(failure, SPAWN_PATH, plan->cmd, &err);
	}
	plan->paths = reallocarray(NULL, entries + 1, sizeof(char *));
	plan->path_text = malloc(len);
	if (!plan->paths || !plan->path_text)
		return out_of_memory(plan, failure);
	at = plan->path_text;
	while (search) {
		len = strcspn(path, ":");
		plan->paths[count++] = at;
		/* An empty entry is the working directory. */
		at = mempcpy(at, path, len);
		if (len)
			*at++ = '/';
		at = mempcpy(at, plan->cmd, cmd_len + 1);
		if (!path[len])
			break;
		path += len + 1;
	}
	if (!search && cmd_len)
		plan->paths[count++] = plan->cmd;
	plan->paths[count] = NULL;
	plan->child.paths = plan->paths;
	return 0;
}

/*
 * cmd is the shell itself, argv[0] its name, behind a dash if it is to be a login shell, as login(1) has
 * it.
 */
static int plan_shell(struct spawn_plan *plan, bool login, struct spawn_failure *failure)
{
	const char *shell =
		plan->user.shell && plan->user.shell[0] ? plan->user.shell : DEFAULT_SHELL;
	const char *slash = strrchr(shell, '/');
	size_t len = strlen(shell) + 1;
	char *text = malloc(2 * len + 2);

	if (!text)
		return out_of_memory(plan, failure);
	free(plan->path_text);
	plan->path_text = text;
	memcpy(text, shell, len);
	text[len] = '-';
	strcpy(text + len + 1, slash ? slash + 1 : shell);
	plan->argv[0] = text + len + (login ? 0 : 1);
	plan->cmd = text;
	plan->paths = reallocarray(plan->paths, 2, sizeof(char *));
	if (!plan->paths)
		return out_of_memory(plan, failure);
	plan->paths[0] = text;
	plan->paths[1] = NULL;
	plan->child.paths = plan->paths;
	return 0;
}

/* Where the request says nothing: a default must not come between it and a higher limit. */
static void add_default_limits(struct spawn_plan *plan, const struct spawn_config *config)
{
	size_t given = plan->child.limit_count;

	for (size_t i = 0; i < config->limit_count; i++) {
		bool named = false;

		for (size_t k = 0; k < given; k++)
			named |= plan->limits[k].resource == config->limits[i].resource;
		if (!named)
			plan->limits[plan->child.limit_count++] = config->limits[i];
	}
}

static int plan_limits(struct spawn_plan *plan, const struct spawn_config *config,
		       struct msg_exec_request *request, struct spawn_failure *failure)
{
	struct msg_rlimit limit;
	struct err err;
	int more;

	if (request->rlimits.count > SPAWN_LIMITS_MAX) {
		err_set(&err, 0, NULL, "%zu limits, at most %d", request->rlimits.count,
			SPAWN_LIMITS_MAX);
		return spawn_fail(failure, SPAWN_RLIMIT, plan->cmd, &err);
	}
	plan->limits = reallocarray(NULL, request->rlimits.count + config->limit_count + 1,
				    sizeof(*plan->limits));
	if (!plan->limits)
		return out_of_memory(plan, failure);
	while ((more = msg_next_rlimit(&request->rlimits, &limit)) > 0) {
		const struct rlimit_name *name =
			rlimit_find(limit.resource.ptr, limit.resource.len);

		if (!name) {
			err_set(&err, 0, NULL, "unknown resource limit %.*s",
				(int)limit.resource.len, limit.resource.ptr);
			return spawn_fail(failure, SPAWN_RLIMIT, plan->cmd, &err);
		}
		plan->limits[plan->child.limit_count++] = (struct child_limit){
			name->resource, {.rlim_cur = limit.soft, .rlim_max = limit.hard}};
	}
	if (more < 0) {
		err_set(&err, 0, NULL, "a malformed resource limit");
		return spawn_fail(failure, SPAWN_RLIMIT, plan->cmd, &err);
	}
	add_default_limits(plan, config);
	plan->child.limits = plan->limits;
	return 0;
}

static bool is_relative(const char *path)
{
	return path && path[0] && path[0] != '/';
}

/*
 * plan->pwd: PWD=, and the folder as it is called from the root, of which plan->cwd is what has to
 * be entered from where the daemon is. A folder without a name is entered all the same.
 */
static int name_folder(struct spawn_plan *plan, const struct spawn_config *config,
		       const char *asked, struct spawn_failure *failure)
{
	const char *base = is_relative(asked) && asked != config->cwd ? config->cwd : NULL;
	const char *first = base ? base : asked;
	const char *start = !first || is_relative(first) ? config->start_cwd : NULL;
	char *at = malloc(sizeof("PWD=") + length(start) + length(base) + length(asked) + 2);

	plan->pwd = at;
	if (!at)
		return out_of_memory(plan, failure);
	at = stpcpy(stpcpy(at, "PWD="), start ? start : "");
	if (start && first && at[-1] != '/')
		*at++ = '/';
	if (first)
		plan->cwd = at;
	if (base)
		at = stpcpy(stpcpy(at, base), "/");
	stpcpy(at, asked ? asked : "");
	return 0;
}

static int plan_cwd(struct spawn_plan *plan, const struct spawn_config *config,
		    const struct msg_exec_request *request, char **at,
		    struct spawn_failure *failure)
{
	const char *asked = config->cwd;

	if (request->cwd.ptr) {
		asked = copy_text(at, request->cwd);
		if (!asked)
			return bad_nul(plan, SPAWN_CWD, failure);
	} else if (wants_shell(request) && plan->user.home && plan->user.home[0]) {
		asked = plan->user.home;
		plan->child.cwd_optional = true;
	}
	/* Its failure is told later, when the configuration may have changed. */
	if (name_folder(plan, config, asked, failure) < 0)
		return -1;
	plan->child.cwd = plan->cwd;
	return 0;
}

/* The kernel would refuse them, too, but not before they have been copied and sorted. */
static bool has_too_many(const struct msg_exec_request *request)
{
	return request->args.count > STRINGS_MAX ||
	       request->env.count > STRINGS_MAX - request->args.count;
}

static int too_many(const struct spawn_plan *plan, struct spawn_failure *failure)
{
	struct err err;

	err_set(&err, E2BIG, NULL, "%s", "");
	return spawn_fail(failure, SPAWN_EXEC, plan->cmd, &err);
}

static int fill(struct spawn_plan *plan, const struct spawn_config *config,
		struct msg_exec_request *request, struct spawn_failure *failure)
{
	char *at;

	/* Each text is shorter than its CBOR by its head, which leaves room for the NUL. */
	plan->text = malloc(request->cmd.len + request->cwd.len + 2 + request->args.cbor.len +
			    request->env.cbor.len);
	if (!plan->text)
		return out_of_memory(plan, failure);
	at = plan->text;
	plan->cmd = copy_text(&at, request->cmd);
	if (!plan->cmd)
		return bad_nul(plan, SPAWN_CMD, failure);
	if (has_too_many(request))
		return too_many(plan, failure);
	plan->child.parent = getpid();
	plan->child.tty = request->tty;
	/* A terminal is one for all three anyway. */
	plan->merges = request->merge_output && !request->tty;
	plan->child.umask = config->umask;
	plan->child.nofile = config->restore_nofile ? &config->nofile : NULL;
	plan->child.oom_score_adj = config->oom_score_adj[0] ? config->oom_score_adj : NULL;
	plan->child.caps = &config->caps;
	if (plan_user(plan, config, request, failure) < 0 ||
	    plan_cwd(plan, config, request, &at, failure) < 0 ||
	    plan_args(plan, request, &at, failure) < 0 ||
	    plan_env(plan, config, request, &at, failure) < 0 ||
	    plan_limits(plan, config, request, failure) < 0)
		return -1;
	return wants_shell(request) ? plan_shell(plan, request->login_shell, failure)
				    : plan_paths(plan, failure);
}

struct spawn_plan *spawn_plan_new(const struct spawn_config *config,
				  struct msg_exec_request *request, struct spawn_failure *failure)
{
	struct spawn_plan *plan = calloc(1, sizeof(*plan));

	if (!plan) {
		*failure = spawn_no_memory;
		return NULL;
	}
	if (fill(plan, config, request, failure) == 0)
		return plan;
	spawn_plan_free(plan);
	return NULL;
}

void spawn_plan_free(struct spawn_plan *plan)
{
	if (!plan)
		return;
	user_release(&plan->user);
	free(plan->limits);
	free(plan->argv);
	free(plan->envp);
	free(plan->paths);
	free(plan->text);
	free(plan->made);
	free(plan->path_text);
	free(plan->pwd);
	free(plan);
}
