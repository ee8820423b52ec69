/* msb-exec's command line: one table gives parsing and help. */
#ifndef MSB_OPTS_H
#define MSB_OPTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../shared/duration.h"
#include "../shared/err.h"
#include "../shared/msg.h"
#include "../shared/options.h"
#include "escape.h"
#include "values.h"

#define OPTS_RLIMITS_MAX 32

enum opts_tty { OPTS_TTY_AUTO, OPTS_TTY_NEVER, OPTS_TTY_IF_TERMINAL, OPTS_TTY_FORCED };

/* Texts point into argv. */
struct opts {
	const char *endpoint;	   /* NULL: the usual places */
	const char *endpoint_from; /* the option or the variable that says so, for messages */
	char *sandbox;		   /* owned: the address that -s stands for, or NULL */
	uint64_t connect_ms;	   /* DURATION_INFINITE: no limit */
	uint64_t wait_ms;	   /* for an agent that is not there yet; 0: not */
	uint64_t keepalive_ms;	   /* 0: never */
	enum opts_tty tty;
	bool no_stdin;
	const char *user, *workdir;
	struct env_list env; /* owned */
	struct msg_rlimit rlimits[OPTS_RLIMITS_MAX];
	size_t rlimit_count;
	uint64_t timeout_ms; /* 0: none */
	uint64_t kill_after_ms;
	int timeout_signal;
	bool has_linger;    /* else a terminal has none */
	uint64_t linger_ms; /* DURATION_INFINITE: for ever */
	enum msg_on_disconnect on_disconnect;
	int escape_char; /* ESCAPE_OFF: none */
	struct escape_keys detach_keys;
	bool console; /* the rest is for msb-exec-console to read */
	bool ping, quiet, verbose, help, version;
	char **command; /* NULL at the end; empty for the login shell */
	size_t command_len;
};

/* 0, or -errno with *err filled. What it holds is released by opts_release() either way. */
int opts_parse(int argc, char *argv[], struct opts *ret, struct err *err);
void opts_release(struct opts *opts);
void opts_help(void);

/* The variable that the address comes from, or NULL. */
const char *opts_endpoint_variable(const struct opts *opts);

/*
 * A program that has most of these options, and more: rows of its own, which come first in its help. take
 * is given the row's index and its value, and returns 0 or -errno with *err filled. What is left of argv is
 * the command. The address, as above, is the variable's where no option gave one.
 */
struct opts_more {
	const struct option_row *rows;
	size_t count;
	void *owner;
	int (*take)(void *owner, int row, const char *value, struct err *err);
};

int opts_parse_more(int argc, char *argv[], struct opts *ret, const struct opts_more *more,
		    struct err *err);
void opts_help_more(const struct opts_more *more);

/* A duration of which 0 and inf both mean none, which is *ret_ms then. 0, or -errno with *err filled. */
int opts_parse_limit(const char *text, uint64_t none, uint64_t *ret_ms, struct err *err);

#endif
