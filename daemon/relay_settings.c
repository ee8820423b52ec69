/* msb-relayd's command line: see relay_settings.h. */
#include "relay_settings.h"

#include <errno.h>
#include <stdio.h>

#include "../shared/options.h"

enum {
	OPT_AGENT,
	OPT_LISTEN,
	OPT_ALLOW_UID,
	OPT_LOG_LEVEL,
	OPT_VERSION,
	OPT_HELP,
};

static const struct option_row rows[] = {
	[OPT_AGENT] = {'a', "agent", "ENDPOINT",
		       "where the guest's one stream is, such as unix:/path of QEMU's chardev"},
	[OPT_LISTEN] = {'l', "listen", "ENDPOINT", "unix:/path for clients; repeatable"},
	[OPT_ALLOW_UID] = {0, "allow-uid", "UID",
			   "let this user connect, beside root and our own; repeatable"},
	[OPT_LOG_LEVEL] = {0, "log-level", "LEVEL",
			   "none, error, warn, info or debug (default warn)"},
	[OPT_VERSION] = {'V', "version", NULL, "print the version"},
	[OPT_HELP] = {'h', "help", NULL, "print this help"},
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

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

static int take_option(struct relay_settings *s, int option, const char *value, struct err *err)
{
	int level;

	switch (option) {
	case OPT_AGENT:
		s->has_agent = true;
		return endpoint_parse(value, ENDPOINT_CLIENT, &s->agent, err);
	case OPT_LISTEN:
		return add_listen(s, value, err);
	case OPT_ALLOW_UID:
		return peer_allow_uid(&s->allow, value, err);
	case OPT_LOG_LEVEL:
		level = log_level_parse(value);
		if (level < 0)
			return err_set(err, 0, NULL, "unknown log level %s", value);
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
	struct relay_settings s = {.log_level = LOG_LEVEL_WARN};
	const char *value = NULL;
	int option, operand = 0;

	while ((option = options_next(argc, argv, rows, ROWS, &value, &operand, err)) >= 0)
		if (take_option(&s, option, value, err) < 0)
			return -EINVAL;
	if (option != -1)
		return -EINVAL;
	if (operand < argc)
		return err_set(err, 0, NULL, "unexpected operand %s", argv[operand]);
	if (!s.help && !s.version && (!s.has_agent || (!s.listen_count && !has_sockets)))
		return err_set(err, 0, NULL, "--agent and --listen are needed");
	*ret = s;
	return 0;
}
