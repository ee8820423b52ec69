/* msb-relayd's command line: see settings.h. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "daemon/door/rows.h"
#include "shared/duration.h"
#include "shared/utf8.h"
#include "shared/wire/rlimit.h"
#include "slots.h"

static int take_agent(const char *text, void *settings, struct err *err)
{
	struct relay_settings *s = settings;

	s->has_agent = true;
	return endpoint_parse(text, ENDPOINT_CLIENT, &s->agent, err);
}

static int add_listen(const char *text, void *settings, struct err *err)
{
	struct relay_settings *s = settings;
	struct endpoint *endpoint = &s->listen[s->listen_count];

	if (s->listen_count == RELAY_LISTEN_MAX)
		return err_set(err, 0, NULL, "more than %d addresses", RELAY_LISTEN_MAX);
	if (endpoint_parse(text, ENDPOINT_DAEMON, endpoint, err) < 0)
		return -EINVAL;
	if (endpoint->kind != ENDPOINT_UNIX)
		return err_set(err, 0, NULL, "cannot listen on %s; use unix:/path", text);
	s->listen_count++;
	return 0;
}

static int take_text(const char *value, void *target, struct err *err)
{
	if (!utf8_valid((const uint8_t *)value, strlen(value)))
		return err_set(err, 0, NULL,
			       "%s is not UTF-8, which is all that the protocol carries", value);
	*(struct msg_text *)target = (struct msg_text){value, strlen(value)};
	return 0;
}

static int take_profile(const char *value, void *target, struct err *err)
{
	if (strcmp(value, "default") != 0 && strcmp(value, "restricted") != 0)
		return err_set(err, 0, NULL, "%s is not default or restricted", value);
	return take_text(value, target, err);
}

static int add_env(const char *value, void *settings, struct err *err)
{
	struct relay_settings *s = settings;
	struct msg_list *env = &s->bootstrap.default_env;
	struct msg_text text;

	if (value[0] == '=' || !strchr(value, '='))
		return err_set(err, 0, NULL, "%s is not KEY=VALUE", value);
	if (env->count == RELAY_ENV_MAX)
		return err_set(err, 0, NULL, "more than %d entries", RELAY_ENV_MAX);
	s->env[env->count++] = (char *)value;
	return take_text(value, &text, err);
}

static int add_rlimit(const char *value, void *settings, struct err *err)
{
	struct relay_settings *s = settings;
	struct msg_list *rlimits = &s->bootstrap.rlimits;

	if (rlimits->count == RELAY_RLIMITS_MAX)
		return err_set(err, 0, NULL, "more than %d resource limits", RELAY_RLIMITS_MAX);
	return rlimit_parse(value, &s->rlimits[rlimits->count++], err);
}

#define TO(kind, member) OPTION_TO(kind, struct relay_settings, member)
#define BY(take, member) OPTION_BY(take, struct relay_settings, member)

static const struct option_row rows[] = {
	{'a', "agent", "ENDPOINT",
	 "where the guest's one stream is, such as unix:/path of QEMU's chardev",
	 OPTION_BY_ALL(take_agent)},
	{'l', "listen", "ENDPOINT", "unix:/path for clients; repeatable",
	 OPTION_BY_ALL(add_listen)},
	{'u', "user", "SPEC", "the guest's default: run commands as this user",
	 BY(take_text, bootstrap.user)},
	{0, "security-profile", "NAME",
	 "the guest's default: default, or restricted (see msb-execd)",
	 BY(take_profile, bootstrap.security_profile)},
	{0, "cwd", "DIR", "the guest's default: start commands here",
	 BY(take_text, bootstrap.default_cwd)},
	{'e', "env", "KEY=VALUE",
	 "the guest's default: for the environment of commands; repeatable",
	 OPTION_BY_ALL(add_env)},
	{0, "rlimit", "NAME=SOFT[:HARD]",
	 "the guest's default: limit each command's resources; repeatable",
	 OPTION_BY_ALL(add_rlimit)},
	{0, "no-bootstrap", NULL, "send the guest no bootstrap: for agents that do not know it",
	 TO(FLAG, no_bootstrap)},
	ROW_ALLOW_UID(struct relay_settings),
	{0, "max-connections-of-user", "N",
	 "refuse more of each user let in by --allow-uid (default 32)",
	 TO(NUMBER, budget.connections_of_user)},
	ROW_MAX_SESSIONS_OF_USER(struct relay_settings),
	ROW_MAX_MEMORY(struct relay_settings, "256M"),
	ROWS_PATIENCE(struct relay_settings),
	ROWS_LAST(struct relay_settings),
};

void relay_settings_help(void)
{
	puts("Usage: msb-relayd --agent ENDPOINT --listen unix:/path [OPTION]...\n"
	     "Shares a guest's one byte stream, such as a virtio-serial port, among up to 128\n"
	     "clients, in the foreground, until SIGTERM.\n");
	options_help(stdout, rows, 0);
}

/* Something of what the guest starts commands with was given. */
static bool has_bootstrap(const struct msg_bootstrap *bootstrap)
{
	return bootstrap->user.ptr || bootstrap->security_profile.ptr ||
	       bootstrap->default_cwd.ptr || bootstrap->default_env.count ||
	       bootstrap->rlimits.count;
}

int relay_settings_parse(int argc, char *const argv[], bool has_sockets, struct relay_settings *ret,
			 struct err *err)
{
	struct options o = {.rows = rows, .argc = argc, .argv = argv};

	*ret = (struct relay_settings){
		.log_level = LOG_LEVEL_WARN,
		/* One more is accepted, and told that it gets no range. */
		.budget = {.connections = RELAY_SLOTS + 1,
			   .connections_of_user = 32,
			   .sessions_of_user = 256,
			   .memory = 256 * 1024 * 1024,
			   .frame_ms = 60000,
			   .greeting_ms = DURATION_INFINITE},
	};
	ret->bootstrap.default_env.strv = ret->env;
	ret->bootstrap.rlimits.limits = ret->rlimits;
	if (options_parse(&o, ret, err) < 0)
		return -EINVAL;
	if (o.at + 1 < argc) {
		err_set(err, 0, NULL, "unexpected operand %s", argv[o.at + 1]);
		return err_hint(err, "an address comes behind --listen");
	}
	if (ret->help || ret->version)
		return 0;
	if (!ret->has_agent)
		return err_set(err, 0, NULL, "--agent is needed: where the guest's stream is");
	if (!ret->listen_count && !has_sockets)
		return err_set(err, 0, NULL, "--listen is needed: where clients come");
	if (ret->no_bootstrap && has_bootstrap(&ret->bootstrap))
		return err_set(err, 0, NULL,
			       "--no-bootstrap leaves no way to send the guest its defaults");
	/* Agents of the reference want to be told. */
	if (!ret->bootstrap.security_profile.ptr)
		ret->bootstrap.security_profile = (struct msg_text){"default", 7};
	return 0;
}
