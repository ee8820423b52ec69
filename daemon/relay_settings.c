/* msb-relayd's command line: see relay_settings.h. */
#include "relay_settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "../shared/base.h"
#include "../shared/duration.h"
#include "../shared/options.h"
#include "../shared/rlimit.h"
#include "../shared/size.h"
#include "../shared/utf8.h"
#include "relay_slots.h"

enum {
	OPT_AGENT,
	OPT_LISTEN,
	OPT_USER,
	OPT_PROFILE,
	OPT_CWD,
	OPT_ENV,
	OPT_RLIMIT,
	OPT_NO_BOOTSTRAP,
	OPT_ALLOW_UID,
	OPT_MAX_OF_USER,
	OPT_MAX_MEMORY,
	OPT_FRAME_TIMEOUT,
	OPT_GREETING_TIMEOUT,
	OPT_LOG_LEVEL,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option_row rows[] = {
	[OPT_AGENT] = {'a', "agent", "ENDPOINT",
		       "where the guest's one stream is, such as unix:/path of QEMU's chardev"},
	[OPT_LISTEN] = {'l', "listen", "ENDPOINT", "unix:/path for clients; repeatable"},
	[OPT_USER] = {'u', "user", "SPEC", "the guest's default: run commands as this user"},
	[OPT_PROFILE] = {0, "security-profile", "NAME",
			 "the guest's default: default, or restricted (see msb-execd)"},
	[OPT_CWD] = {0, "cwd", "DIR", "the guest's default: start commands here"},
	[OPT_ENV] = {'e', "env", "KEY=VALUE",
		     "the guest's default: for the environment of commands; repeatable"},
	[OPT_RLIMIT] = {0, "rlimit", "NAME=SOFT[:HARD]",
			"the guest's default: limit each command's resources; repeatable"},
	[OPT_NO_BOOTSTRAP] = {0, "no-bootstrap", NULL,
			      "send the guest no bootstrap: for agents that do not know it"},
	[OPT_ALLOW_UID] = {0, "allow-uid", "UID",
			   "let this user connect, beside root and our own; repeatable"},
	[OPT_MAX_OF_USER] = {0, "max-connections-of-user", "N",
			     "refuse more of each user let in by --allow-uid (default 32)"},
	[OPT_MAX_MEMORY] = {0, "max-memory", "SIZE",
			    "hold no more than this of large frames (default 256M, 0: no bound)"},
	[OPT_FRAME_TIMEOUT] = {0, "frame-timeout", "DURATION",
			       "drop clients that stop within a frame for so long (default 60s)"},
	[OPT_GREETING_TIMEOUT] = {0, "greeting-timeout", "DURATION",
				  "drop clients that say nothing for so long (default inf)"},
	[OPT_LOG_LEVEL] = {0, "log-level", "LEVEL",
			   "none, error, warn, info or debug (default warn)"},
	[OPT_VERSION] = {'V', "version", NULL, "print the version"},
	[OPT_HELP] = {'h', "help", NULL, "print this help"},
};

#define ROWS (ARRAY_LEN(rows))

void relay_settings_help(void)
{
	puts("Usage: msb-relayd --agent ENDPOINT --listen unix:/path [OPTION]...\n"
	     "Shares a guest's one byte stream, such as a virtio-serial port, among up to 128\n"
	     "clients, in the foreground, until SIGTERM.\n");
	options_help(stdout, rows, ROWS);
}

static int add_listen(struct relay_settings *s, const char *text, struct err *err)
{
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

static int set_text(struct relay_settings *s, struct msg_text *text, const char *value,
		    struct err *err)
{
	if (!utf8_valid((const uint8_t *)value, strlen(value)))
		return err_set(err, 0, NULL,
			       "%s is not UTF-8, which is all that the protocol carries", value);
	s->has_bootstrap = true;
	*text = (struct msg_text){value, strlen(value)};
	return 0;
}

static int set_profile(struct relay_settings *s, const char *value, struct err *err)
{
	if (strcmp(value, "default") != 0 && strcmp(value, "restricted") != 0)
		return err_set(err, 0, NULL, "%s is not default or restricted", value);
	return set_text(s, &s->bootstrap.security_profile, value, err);
}

static int add_env(struct relay_settings *s, const char *value, struct err *err)
{
	struct msg_list *env = &s->bootstrap.default_env;
	struct msg_text text;

	if (value[0] == '=' || !strchr(value, '='))
		return err_set(err, 0, NULL, "%s is not KEY=VALUE", value);
	if (env->count == RELAY_ENV_MAX)
		return err_set(err, 0, NULL, "more than %d entries", RELAY_ENV_MAX);
	s->env[env->count++] = (char *)value;
	return set_text(s, &text, value, err);
}

static int add_rlimit(struct relay_settings *s, const char *value, struct err *err)
{
	struct msg_list *rlimits = &s->bootstrap.rlimits;

	if (rlimits->count == RELAY_RLIMITS_MAX)
		return err_set(err, 0, NULL, "more than %d resource limits", RELAY_RLIMITS_MAX);
	s->has_bootstrap = true;
	return rlimit_parse(value, &s->rlimits[rlimits->count++], err);
}

static int take_option(struct relay_settings *s, int option, const char *value, struct err *err)
{
	int level;

	switch (option) {
	case OPT_AGENT:
		s->has_agent = true;
		return endpoint_parse(value, ENDPOINT_CLIENT, &s->agent, err);
	case OPT_LISTEN:
		return add_listen(s, value, err);
	case OPT_USER:
		return set_text(s, &s->bootstrap.user, value, err);
	case OPT_PROFILE:
		return set_profile(s, value, err);
	case OPT_CWD:
		return set_text(s, &s->bootstrap.default_cwd, value, err);
	case OPT_ENV:
		return add_env(s, value, err);
	case OPT_RLIMIT:
		return add_rlimit(s, value, err);
	case OPT_NO_BOOTSTRAP:
		s->no_bootstrap = true;
		return 0;
	case OPT_ALLOW_UID:
		return peer_allow_uid(&s->allow, value, err);
	case OPT_MAX_OF_USER:
		return options_number(value, 1, 1000000, &s->budget.connections_of_user, err);
	case OPT_MAX_MEMORY:
		return size_parse(value, &s->budget.memory, err);
	case OPT_FRAME_TIMEOUT:
		return duration_parse(value, &s->budget.frame_ms, err);
	case OPT_GREETING_TIMEOUT:
		return duration_parse(value, &s->budget.greeting_ms, err);
	case OPT_LOG_LEVEL:
		level = log_level_parse(value);
		if (level < 0)
			return err_set(err, 0, NULL, "%s is not none, error, warn, info or debug",
				       value);
		s->log_level = (enum log_level)level;
		return 0;
	case OPT_VERSION:
		s->version = true;
		return 0;
	default:
		s->help = true;
		return 0;
	}
}

int relay_settings_parse(int argc, char *const argv[], bool has_sockets, struct relay_settings *ret,
			 struct err *err)
{
	const char *value = NULL;
	int option, operand = 0;

	*ret = (struct relay_settings){
		.log_level = LOG_LEVEL_WARN,
		/* One more is accepted, and told that it gets no range. */
		.budget = {.connections = RELAY_SLOTS + 1,
			   .connections_of_user = 32,
			   .memory = 256 * 1024 * 1024,
			   .frame_ms = 60000,
			   .greeting_ms = DURATION_INFINITE},
	};
	ret->bootstrap.default_env.strv = ret->env;
	ret->bootstrap.rlimits.limits = ret->rlimits;
	while ((option = options_next(argc, argv, rows, ROWS, &value, &operand, err)) >= 0)
		if (take_option(ret, option, value, err) < 0)
			return options_blame(&rows[option], err);
	if (option != -1)
		return -EINVAL;
	if (operand < argc) {
		err_set(err, 0, NULL, "unexpected operand %s", argv[operand]);
		return err_hint(err, "an address comes behind --listen");
	}
	if (ret->help || ret->version)
		return 0;
	if (!ret->has_agent)
		return err_set(err, 0, NULL, "--agent is needed: where the guest's stream is");
	if (!ret->listen_count && !has_sockets)
		return err_set(err, 0, NULL, "--listen is needed: where clients come");
	if (ret->no_bootstrap && ret->has_bootstrap)
		return err_set(err, 0, NULL,
			       "--no-bootstrap leaves no way to send the guest its defaults");
	/* Agents of the reference want to be told. */
	if (!ret->bootstrap.security_profile.ptr)
		ret->bootstrap.security_profile = (struct msg_text){"default", 7};
	return 0;
}
