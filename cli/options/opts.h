/* The command lines of msb-exec and of its console: how they are read, and what a guest with a name adds. */
#ifndef MSB_OPTS_H
#define MSB_OPTS_H

#include <stdbool.h>

#include "settings.h"
#include "shared/err.h"
#include "shared/log.h"

/*
 * Before anything is parsed, which can be done once where a value is read from a pipe: whether msb-exec's argv
 * is for a console; and whether a console's asks for lines without a prompt.
 */
bool opts_want_console(int argc, char *argv[]);
bool opts_want_lines(int argc, char *argv[]);

/*
 * 0, or -errno with *err filled, and then json and result are as the line says, as far as it can be read, and
 * log_file is the last one in front of what is no option. What it holds is released by opts_release() either way.
 */
int opts_parse(int argc, char *argv[], enum opts_program program, struct opts *ret,
	       struct err *err);
void opts_release(struct opts *opts);

/* Whether there is an end of a command to tell of. */
bool opts_have_end(const struct opts *opts);

/*
 * Before options are taken, so that they win: if that is a guest's name, its address, and its options. from: what it
 * was given by, for messages. 0, also if it is no name, or -errno with *err filled.
 */
int opts_use_guest(struct opts *opts, enum opts_program program, const char *text, const char *from,
		   struct err *err);

/*
 * The same command line once more, without what was a guest's, for the guest or the address that the text names; files
 * are not read again. from: what says so, for messages. 0, or -errno with *err filled and nothing to release.
 */
int opts_again(const struct opts *opts, const char *text, const char *from, struct opts *ret,
	       struct err *err);

/* For guests_find(): whether the options of that line could be taken, by either program. */
int opts_check_guest(const struct guest_line *line, void *unused, struct err *err);

/* What -q and -v say. */
enum log_level opts_log_level(const struct opts *opts);

/* On stdout: all that msb-exec says to --help; and the options of either. */
void opts_help(void);
void opts_help_options(enum opts_program program);

/* The variable that the address comes from, or NULL. */
const char *opts_endpoint_variable(const struct opts *opts);

#endif
