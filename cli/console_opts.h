/* msb-exec-console's command line: one table gives parsing and help. */
#ifndef MSB_CONSOLE_OPTS_H
#define MSB_CONSOLE_OPTS_H

#include "opts.h"

/* Texts point into argv. */
struct console_opts {
	struct opts guest;    /* address, user, folder, environment, limits: as msb-exec has them */
	const char *line;     /* -c, or NULL */
	const char *file;     /* -f, or NULL */
	uint64_t complete_ms; /* for the guest's answer to Tab; DURATION_INFINITE: no limit */
};

/* 0, or -errno with *err filled. What it holds is released by console_opts_release() either way. */
int console_opts_parse(int argc, char *argv[], struct console_opts *ret, struct err *err);
void console_opts_release(struct console_opts *opts);
void console_opts_help(void);

#endif
