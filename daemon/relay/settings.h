/* msb-relayd's command line. */
#ifndef MSB_RELAY_SETTINGS_H
#define MSB_RELAY_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "daemon/door/budget.h"
#include "daemon/door/peer.h"
#include "shared/address/endpoint.h"
#include "shared/err.h"
#include "shared/log.h"
#include "shared/wire/msg.h"

#define RELAY_LISTEN_MAX  16
#define RELAY_ENV_MAX	  256
#define RELAY_RLIMITS_MAX 16

struct relay_settings {
	struct endpoint agent; /* points into argv, as the others do */
	bool has_agent;
	struct endpoint listen[RELAY_LISTEN_MAX];
	size_t listen_count;
	struct peer_rules allow;
	struct budget budget;
	/* What the guest is to start commands with. */
	struct msg_bootstrap bootstrap;
	bool no_bootstrap;
	char *env[RELAY_ENV_MAX];
	struct msg_rlimit rlimits[RELAY_RLIMITS_MAX];
	enum log_level log_level;
	bool help, version;
};

/*
 * Parses into *ret, which must stay where it is. has_sockets: --listen is not needed, since systemd
 * passed some. 0, or -EINVAL with *err filled.
 */
int relay_settings_parse(int argc, char *const argv[], bool has_sockets, struct relay_settings *ret,
			 struct err *err);

void relay_settings_help(void);

#endif
