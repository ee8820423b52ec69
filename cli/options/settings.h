/* What the command lines of msb-exec and of its console say: see rows.h for what says it. */
#ifndef MSB_OPTS_SETTINGS_H
#define MSB_OPTS_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/terminal/escape.h"
#include "guests.h"
#include "rsh.h"
#include "shared/duration.h"
#include "shared/wire/msg.h"
#include "values.h"

#define OPTS_RLIMITS_MAX 32

enum opts_tty { OPTS_TTY_AUTO, OPTS_TTY_NEVER, OPTS_TTY_IF_TERMINAL, OPTS_TTY_FORCED };

/* Whether the command gets one pipe for its stdout and stderr. */
enum opts_merge { OPTS_MERGE_IF_SAME, OPTS_MERGE_ALWAYS, OPTS_MERGE_NEVER };

/* What msb-exec is to do; all but the first with a kept session, or with all of them. */
enum opts_action {
	OPTS_RUN,
	OPTS_SESSIONS,
	OPTS_ATTACH,
	OPTS_WAIT,
	OPTS_LOGS,
	OPTS_SEND,
	OPTS_KILL,
	OPTS_REMOVE,
};

/* The programs that have them; some options are only one's. */
enum opts_program { OPTS_EXEC = 1, OPTS_CONSOLE = 2 };

/* Texts point into argv, or into a guest's line. */
struct opts {
	const char *endpoint;	   /* NULL: the usual places; of a guest with a name the address */
	const char *endpoint_from; /* the option or the variable that says so, for messages */
	char *sandbox;	   /* owned: an address that is in no argv, such as that of -s, or NULL */
	const char *guest; /* the name that it was given by, for messages; or NULL */
	struct guest_line line_of_guest; /* owned */
	uint64_t connect_ms;		 /* DURATION_INFINITE: no limit */
	uint64_t wait_ms;		 /* for an agent that is not there yet; 0: not */
	uint64_t keepalive_ms;		 /* 0: never */
	enum opts_tty tty;
	bool no_stdin;
	const char *user, *workdir;
	struct env_list env; /* owned */
	struct msg_rlimit rlimits[OPTS_RLIMITS_MAX];
	size_t rlimit_count;
	bool cgroup; /* of the session's own; each of these implies it: */
	uint64_t memory_max, cpu_millis, pids_max; /* 0: no limit */
	uint64_t timeout_ms;			   /* 0: none */
	uint64_t kill_after_ms;
	int timeout_signal;
	bool has_linger;	/* else a terminal has none */
	uint64_t linger_ms;	/* DURATION_INFINITE: for ever */
	bool has_on_disconnect; /* else a console's shell is kept, where it can be */
	enum msg_on_disconnect on_disconnect;
	enum opts_action action;
	const char *session; /* its id or name, of an action with one */
	const char *name;    /* for the session to be kept under; or NULL */
	bool detach;	     /* leave once it runs */
	bool watch;	     /* attach only to look on */
	bool send_eof;	     /* what is sent ends the session's stdin */
	bool json;
	const char *result;  /* a file, or fd:N, for the last object; or NULL */
	bool usage;	     /* a line about it at the end */
	bool has_max_output; /* of each stream no more than this goes out */
	uint64_t max_output;
	enum opts_merge merge;
	const char *log_file; /* for our own lines; or NULL: stderr */
	bool login;	      /* the line is for the user's login shell */
	bool user_shell;      /* the line is for the user's shell, as rsh has it */
	struct rsh rsh;	      /* owned: what stands behind --rsh */
	bool guests;	      /* list them */
	bool has_since;
	uint64_t since;	    /* the first byte of output that is wanted */
	bool has_reconnect; /* else a kept terminal and a console have a minute, others nothing */
	uint64_t reconnect_ms; /* DURATION_INFINITE: for ever */
	int escape_char;       /* ESCAPE_OFF: none */
	struct escape_keys detach_keys;
	const char
		*line; /* for a shell, of -c or --rsh; what is in command are then its operands */
	/* Of a console alone: */
	const char *file;     /* -f, which may be "-"; or NULL */
	const char *shell;    /* of the guest, or NULL: the one that it has */
	uint64_t complete_ms; /* for the guest's answer to Tab; DURATION_INFINITE: no limit */

	int argc; /* what was parsed, see opts_again() */
	char **argv;
	enum opts_program program;
	size_t env_of_guest; /* the first so many of env are of the guest's line */

	bool ping, quiet, verbose, help, version;
	char **command; /* NULL at the end; empty for the login shell */
	size_t command_len;
};

#endif
