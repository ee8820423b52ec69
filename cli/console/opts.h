/* msb-exec-console's command line: msb-exec's, and what a console has besides. */
#ifndef MSB_CONSOLE_OPTS_H
#define MSB_CONSOLE_OPTS_H

#include "../opts.h"

/* Texts point into argv. */
struct console_opts {
	struct opts guest;
	const char *line;     /* -c, or NULL */
	const char *file;     /* -f, or NULL; "-": stdin */
	const char *shell;    /* of the guest, or NULL: the one that it has */
	uint64_t complete_ms; /* for the guest's answer to Tab; DURATION_INFINITE: no limit */
};

/* 0, or -errno with *err filled. What it holds is released by opts_release() of guest either way. */
int console_opts_parse(int argc, char *argv[], struct console_opts *ret, struct err *err);
void console_opts_help(void);

#endif
