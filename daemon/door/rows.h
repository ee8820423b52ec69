/* The options that both daemons have, as rows for the table of either; both settings call the members alike. */
#ifndef MSB_ROWS_H
#define MSB_ROWS_H

#include "peer.h"
#include "shared/options.h"

#define ROW_ALLOW_UID(type)                                                  \
	OPTION(0, "allow-uid", "UID",                                        \
	       "let this user connect, beside root and our own; repeatable", \
	       OPTION_BY(peer_allow_uid, type, allow))

#define ROW_MAX_SESSIONS_OF_USER(type)                                                          \
	OPTION(0, "max-sessions-of-user", "N",                                                  \
	       "refuse more commands at once of each user let in by --allow-uid (default 256)", \
	       OPTION_TO(NUMBER, type, budget.sessions_of_user))

/* usual: what the default is, in words. */
#define ROW_MAX_MEMORY(type, usual)                                                       \
	OPTION(0, "max-memory", "SIZE",                                                   \
	       "hold no more than this of large frames (default " usual ", 0: no bound)", \
	       OPTION_TO(SIZE, type, budget.memory))

#define ROWS_PATIENCE(type)                                                       \
	OPTION(0, "frame-timeout", "DURATION",                                    \
	       "drop clients that stop within a frame for so long (default 60s)", \
	       OPTION_TO(DURATION, type, budget.frame_ms)),                       \
		OPTION(0, "greeting-timeout", "DURATION",                         \
		       "drop clients that say nothing for so long (default inf)", \
		       OPTION_TO(DURATION, type, budget.greeting_ms))

#define ROWS_LAST(type)                                                                    \
	OPTION(0, "log-level", "LEVEL", "none, error, warn, info or debug (default warn)", \
	       OPTION_BY(log_level_parse, type, log_level)),                               \
		OPTIONS_LAST(type)

#endif
