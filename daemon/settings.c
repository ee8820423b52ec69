/* msb-execd's command line: see settings.h. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../shared/base.h"
#include "../shared/options.h"
#include "../shared/size.h"

#define DEFAULT_MAX_SESSIONS 1024

enum {
	OPT_LISTEN,
	OPT_USER,
	OPT_PROFILE,
	OPT_CWD,
	OPT_ALLOW_UID,
	OPT_ALLOW_CID,
	OPT_MAX_SESSIONS,
	OPT_MAX_CONNECTIONS,
	OPT_MAX_OF_USER,
	OPT_MAX_MEMORY,
	OPT_MAX_REQUEST,
	OPT_FRAME_TIMEOUT,
	OPT_GREETING_TIMEOUT,
	OPT_MAX_TIME,
	OPT_LINGER,
	OPT_INIT,
	OPT_LOG_LEVEL,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option_row rows[] = {
	[OPT_LISTEN] = {'l', "listen", "ENDPOINT",
			"unix:/path, vsock:PORT, serial:NAME|/path or stdio:; repeatable"},
	[OPT_USER] = {'u', "user", "[=]SPEC",
		      "run commands as this user unless the client names one; =SPEC: always"},
	[OPT_PROFILE] = {0, "security-profile", "NAME",
			 "default, or restricted: no new privileges, no CAP_SYS_ADMIN"},
	[OPT_CWD] = {0, "cwd", "DIR", "start commands here unless the client names a folder"},
	[OPT_ALLOW_UID] = {0, "allow-uid", "UID",
			   "let this user connect, beside root and our own; repeatable"},
	[OPT_ALLOW_CID] = {0, "allow-cid", "CID",
			   "let this machine connect over vsock, beside the host; repeatable"},
	[OPT_MAX_SESSIONS] = {0, "max-sessions", "N",
			      "refuse more commands at once (default 1024)"},
	[OPT_MAX_CONNECTIONS] = {0, "max-connections", "N",
				 "refuse more connections at once (default 4096)"},
	[OPT_MAX_OF_USER] = {0, "max-connections-of-user", "N",
			     "the same for each user let in by --allow-uid (default 256)"},
	[OPT_MAX_MEMORY] = {0, "max-memory", "SIZE",
			    "hold no more than this of large frames (default 128M, 0: no bound)"},
	[OPT_MAX_REQUEST] = {0, "max-request", "SIZE",
			     "refuse requests with more text (default 4M, which is the most)"},
	[OPT_FRAME_TIMEOUT] = {0, "frame-timeout", "DURATION",
			       "drop clients that stop within a frame for so long (default 60s)"},
	[OPT_GREETING_TIMEOUT] = {0, "greeting-timeout", "DURATION",
				  "drop clients that say nothing for so long (default inf)"},
	[OPT_MAX_TIME] = {0, "max-time", "DURATION",
			  "end each command after this time, whatever its client asked for"},
	[OPT_LINGER] = {0, "linger", "DURATION",
			"unless the client says: wait for silent holders of output so long "
			"(default inf)"},
	[OPT_INIT] = {0, "init", NULL, "be process 1 of a machine or a container"},
	[OPT_LOG_LEVEL] = {0, "log-level", "LEVEL",
			   "none, error, warn, info or debug (default warn)"},
	[OPT_VERSION] = {'V', "version", NULL, "print the version"},
	[OPT_HELP] = {'h', "help", NULL, "print this help"},
};

#define ROWS (ARRAY_LEN(rows))

void settings_help(void)
{
	puts("Usage: msb-execd [OPTION]...\n"
	     "Runs commands in this guest for msb-exec, in the foreground, until SIGTERM.\n");
	options_help(stdout, rows, ROWS);
}

static int add_listen(struct settings *s, const char *text, struct err *err)
{
	if (s->listen_count == SETTINGS_LISTEN_MAX)
		return err_set(err, 0, NULL, "more than %d addresses", SETTINGS_LISTEN_MAX);
	s->listen_text[s->listen_count] = text;
	return endpoint_parse(text, ENDPOINT_DAEMON, &s->listen[s->listen_count++], err);
}

/* Where clients look, the user's own before the system's. */
int settings_listen_default(struct settings *settings, struct err *err)
{
	static char users[ENDPOINT_PATH_MAX];
	bool own = geteuid() != 0 && endpoint_of_user(users);

	return add_listen(settings, own ? users : ENDPOINT_SYSTEM, err);
}

static int take_option(struct settings *s, int option, const char *value, struct err *err)
{
	unsigned long number;
	int level;

	switch (option) {
	case OPT_LISTEN:
		return add_listen(s, value, err);
	case OPT_USER:
		s->user = value;
		return 0;
	case OPT_PROFILE:
		s->profile = value;
		return 0;
	case OPT_CWD:
		s->cwd = value;
		return 0;
	case OPT_ALLOW_UID:
		return peer_allow_uid(&s->allow, value, err);
	case OPT_ALLOW_CID:
		return peer_allow_cid(&s->allow, value, err);
	case OPT_MAX_SESSIONS:
		if (options_number(value, 1, 1000000, &number, err) < 0)
			return -EINVAL;
		s->max_sessions = number;
		return 0;
	case OPT_MAX_CONNECTIONS:
		return options_number(value, 1, 1000000, &s->budget.connections, err);
	case OPT_MAX_OF_USER:
		return options_number(value, 1, 1000000, &s->budget.connections_of_user, err);
	case OPT_MAX_MEMORY:
		return size_parse(value, &s->budget.memory, err);
	case OPT_MAX_REQUEST:
		if (size_parse(value, &s->budget.request, err) < 0)
			return -EINVAL;
		return s->budget.request
			       ? 0
			       : err_set(err, 0, NULL, "with %s every request is refused", value);
	case OPT_FRAME_TIMEOUT:
		return duration_parse(value, &s->budget.frame_ms, err);
	case OPT_GREETING_TIMEOUT:
		return duration_parse(value, &s->budget.greeting_ms, err);
	case OPT_MAX_TIME:
		if (duration_parse(value, &s->max_time_ms, err) < 0)
			return -EINVAL;
		if (s->max_time_ms == 0)
			s->max_time_ms = DURATION_INFINITE;
		return 0;
	case OPT_LINGER:
		return duration_parse(value, &s->linger_ms, err);
	case OPT_LOG_LEVEL:
		level = log_level_parse(value);
		if (level < 0)
			return err_set(err, 0, NULL, "%s is not none, error, warn, info or debug",
				       value);
		s->log_level = (enum log_level)level;
		return 0;
	case OPT_INIT:
		s->init = true;
		return 0;
	case OPT_VERSION:
		s->version = true;
		return 0;
	default:
		s->help = true;
		return 0;
	}
}

int settings_parse(int argc, char *const argv[], struct settings *ret, struct err *err)
{
	struct settings s = {
		.profile = "default",
		.max_sessions = DEFAULT_MAX_SESSIONS,
		.budget = {.connections = 4096,
			   .connections_of_user = 256,
			   .memory = 128 * 1024 * 1024,
			   .request = FRAME_LEN_MAX,
			   .frame_ms = 60000,
			   .greeting_ms = DURATION_INFINITE},
		.linger_ms = DURATION_INFINITE,
		.max_time_ms = DURATION_INFINITE,
		.log_level = LOG_LEVEL_WARN,
	};
	const char *value = NULL;
	int option, operand = 0;

	while ((option = options_next(argc, argv, rows, ROWS, &value, &operand, err)) >= 0)
		if (take_option(&s, option, value, err) < 0)
			return options_blame(&rows[option], err);
	if (option != -1)
		return -EINVAL;
	if (operand < argc) {
		err_set(err, 0, NULL, "unexpected operand %s", argv[operand]);
		return err_hint(err, "an address comes behind --listen");
	}
	*ret = s;
	return 0;
}
