/*
 * What stands behind --rsh, in the language of rsh and ssh: a guest, and words that are joined to a line for
 * the user's shell. What such tools always say is taken where nothing can come of it, and refused
 * where something should.
 */
#ifndef MSB_RSH_H
#define MSB_RSH_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/err.h"
#include "values.h"

enum rsh_tty { RSH_TTY_UNSAID, RSH_TTY_AUTO, RSH_TTY_NEVER, RSH_TTY_IF_TERMINAL, RSH_TTY_FORCED };

/* Texts point into argv unless they are owned. */
struct rsh {
	char *words;	   /* owned: the user and the guest as they were given */
	const char *guest; /* its name or address, inside words */
	const char *user;  /* of -l, of a setting or before the guest's @; or NULL */
	char *line; /* owned: for the shell; NULL: nothing to run but the user's login shell */
	enum rsh_tty tty;
	bool no_stdin, quiet, verbose;
	bool describes; /* -G: say what it would be, and connect to nobody */
	bool version;
	bool is_subsystem;
	bool has_connect_ms, has_keepalive_ms, has_escape_char;
	uint64_t connect_ms, keepalive_ms;
	int escape_char;
	const char *log_file;
	struct env_list env; /* owned */
	char **values;	     /* owned: what settings were given, without their quotes */
	size_t value_count;
};

/*
 * argc words from argv on, none of them a program's name. 0, or -EINVAL with *err filled. What it holds
 * is released by rsh_release() either way.
 */
int rsh_parse(int argc, char *argv[], struct rsh *ret, struct err *err);
void rsh_release(struct rsh *rsh);

#endif
