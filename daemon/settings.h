/* msb-execd's command line. */
#ifndef MSB_SETTINGS_H
#define MSB_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/door/budget.h"
#include "daemon/door/peer.h"
#include "daemon/session/cgroup.h"
#include "shared/address/endpoint.h"
#include "shared/duration.h"
#include "shared/err.h"
#include "shared/log.h"

#define SETTINGS_LISTEN_MAX 16

struct settings {
	struct endpoint listen[SETTINGS_LISTEN_MAX]; /* point into argv, as all texts here */
	size_t listen_count;
	const char *user;
	const char *profile;
	const char *cwd;
	struct peer_rules allow;
	struct budget budget;
	unsigned long max_sessions;
	uint64_t replay,
		replay_total; /* bytes of output: of each stream of a kept session, of all */
	unsigned long max_kept, max_kept_of_user;
	uint64_t keep_ended_ms;	     /* DURATION_INFINITE: for ever */
	uint64_t linger_ms;	     /* for requests that leave it open; DURATION_INFINITE: none */
	uint64_t max_time_ms;	     /* for each command; 0: none */
	struct cgroup_limits bounds; /* of each session */
	enum log_level log_level;
	bool init; /* be process 1 */
	bool help, version;
};

/* 0, or -EINVAL with *err filled. */
int settings_parse(int argc, char *const argv[], struct settings *ret, struct err *err);

/*
 * Adds the address that is listened on when nobody gave one: in $XDG_RUNTIME_DIR, or for root in /run.
 * 0, or -EINVAL with *err filled.
 */
int settings_listen_default(struct settings *settings, struct err *err);

void settings_help(void);

#endif
