/* msb-execd's command line: see settings.h. */
#include "settings.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/door/rows.h"
#include "daemon/session/keeper.h"
#include "shared/cpus.h"
#include "shared/size.h"

static int add_listen(const char *text, void *settings, struct err *err)
{
	struct settings *s = settings;

	if (s->listen_count == SETTINGS_LISTEN_MAX)
		return err_set(err, 0, NULL, "more than %d addresses", SETTINGS_LISTEN_MAX);
	return endpoint_parse(text, ENDPOINT_DAEMON, &s->listen[s->listen_count++], err);
}

static int take_max_request(const char *value, void *target, struct err *err)
{
	uint64_t *bytes = target;

	if (size_parse(value, bytes, err) < 0)
		return -EINVAL;
	return *bytes ? 0 : err_set(err, 0, NULL, "with %s every request is refused", value);
}

static int take_replay(const char *value, void *target, struct err *err)
{
	uint64_t *bytes = target;

	if (size_parse(value, bytes, err) < 0)
		return -EINVAL;
	return *bytes >= RING_LEAST && *bytes <= SIZE_MAX / 4
		       ? 0
		       : err_set(err, 0, NULL, "%s is less than 4K, or too much", value);
}

static int take_session_pids(const char *value, void *target, struct err *err)
{
	unsigned long count;

	if (options_number(value, 1, OPTIONS_NUMBER_MAX, &count, err) < 0)
		return -EINVAL;
	*(uint64_t *)target = count;
	return 0;
}

static int take_max_kept(const char *value, void *target, struct err *err)
{
	return options_number(value, 0, KEEPER_MOST, target, err);
}

#define TO(kind, member) OPTION_TO(kind, struct settings, member)
#define BY(take, member) OPTION_BY(take, struct settings, member)

static const struct option_row rows[] = {
	{'l', "listen", "ENDPOINT",
	 "unix:/path, vsock:PORT, serial:NAME|/path or stdio:; repeatable",
	 OPTION_BY_ALL(add_listen)},
	{'u', "user", "[=]SPEC",
	 "run commands as this user unless the client names one; =SPEC: always", TO(TEXT, user)},
	{0, "security-profile", "NAME",
	 "default, or restricted: no new privileges, no CAP_SYS_ADMIN", TO(TEXT, profile)},
	{0, "cwd", "DIR", "start commands here unless the client names a folder", TO(TEXT, cwd)},
	ROW_ALLOW_UID(struct settings),
	{0, "allow-cid", "CID", "let this machine connect over vsock, beside the host; repeatable",
	 BY(peer_allow_cid, allow)},
	{0, "max-sessions", "N", "refuse more commands at once (default 1024)",
	 TO(NUMBER, max_sessions)},
	{0, "max-connections", "N", "refuse more connections at once (default 4096)",
	 TO(NUMBER, budget.connections)},
	{0, "max-connections-of-user", "N",
	 "the same for each user let in by --allow-uid (default 256)",
	 TO(NUMBER, budget.connections_of_user)},
	ROW_MAX_SESSIONS_OF_USER(struct settings),
	ROW_MAX_MEMORY(struct settings, "128M"),
	{0, "max-request", "SIZE", "refuse requests with more text (default 4M, which is the most)",
	 BY(take_max_request, budget.request)},
	ROWS_PATIENCE(struct settings),
	{0, "max-time", "DURATION",
	 "end each command after this time, whatever its client asked for", TO(LIMIT, max_time_ms)},
	{0, "linger", "DURATION",
	 "unless the client says: wait for silent holders of output so long (default inf)",
	 TO(DURATION, linger_ms)},
	{0, "session-memory", "SIZE",
	 "let no session have more memory, whatever its client asks for",
	 BY(size_parse_memory, bounds.memory)},
	{0, "session-cpus", "N", "nor more processors' time, such as 1.5",
	 BY(cpus_parse, bounds.cpu_millis)},
	{0, "session-pids", "N", "nor more processes and threads at once",
	 BY(take_session_pids, bounds.pids)},
	{0, "replay", "SIZE",
	 "of a kept session's output, hold so much of each stream (default 1M)",
	 BY(take_replay, replay)},
	{0, "replay-total", "SIZE", "of that of all sessions (default 256M)",
	 BY(take_replay, replay_total)},
	{0, "max-kept", "N", "keep no more sessions at once (default 1000, which is the most)",
	 BY(take_max_kept, max_kept)},
	{0, "max-kept-of-user", "N", "the same for each user let in by --allow-uid (default 250)",
	 TO(NUMBER, max_kept_of_user)},
	{0, "keep-ended", "DURATION", "how long to know how a kept session ended (default 1h)",
	 TO(DURATION, keep_ended_ms)},
	{0, "init", NULL, "be process 1 of a machine or a container", TO(FLAG, init)},
	ROWS_LAST(struct settings),
};

void settings_help(void)
{
	puts("Usage: msb-execd [OPTION]...\n"
	     "Runs commands in this guest for msb-exec, in the foreground, until SIGTERM.\n");
	options_help(stdout, rows, 0);
}

/* Where clients look, the user's own before the system's. */
int settings_listen_default(struct settings *settings, struct err *err)
{
	static char users[ENDPOINT_PATH_MAX];
	bool own = geteuid() != 0 && endpoint_of_user(users);

	return add_listen(own ? users : ENDPOINT_SYSTEM, settings, err);
}

int settings_parse(int argc, char *const argv[], struct settings *ret, struct err *err)
{
	struct settings s = {
		.profile = "default",
		.max_sessions = 1024,
		.replay = 1024 * 1024,
		.replay_total = 256 * 1024 * 1024,
		.max_kept = KEEPER_MOST,
		.max_kept_of_user = 250,
		.keep_ended_ms = 3600 * 1000,
		.budget = {.connections = 4096,
			   .connections_of_user = 256,
			   .sessions_of_user = 256,
			   .memory = 128 * 1024 * 1024,
			   .request = FRAME_LEN_MAX,
			   .frame_ms = 60000,
			   .greeting_ms = DURATION_INFINITE},
		.linger_ms = DURATION_INFINITE,
		.log_level = LOG_LEVEL_WARN,
	};
	struct options o = {.rows = rows, .argc = argc, .argv = argv};

	if (options_parse(&o, &s, err) < 0)
		return -EINVAL;
	if (o.at + 1 < argc) {
		err_set(err, 0, NULL, "unexpected operand %s", argv[o.at + 1]);
		return err_hint(err, "an address comes behind --listen");
	}
	*ret = s;
	return 0;
}
