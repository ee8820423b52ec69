/*
 * Command-line options by one table a program, which gives parsing, help and completion: a row says
 * what an option is called, what its value is, and where it goes. As with getopt_long(3), options stop at
 * the first operand, and may be abbreviated while unambiguous; what is abbreviated has its value behind
 * a =, and never in the next word.
 */
#ifndef MSB_OPTIONS_H
#define MSB_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"

#define OPTIONS_NUMBER_MAX 1000000

enum option_kind {
	OPTION_IGNORED,	       /* accepted, and nothing comes of it */
	OPTION_FLAG,	       /* sets it */
	OPTION_TEXT,	       /* points into argv */
	OPTION_NUMBER,	       /* from 1 to OPTIONS_NUMBER_MAX */
	OPTION_SIZE,	       /* in bytes, see size.h */
	OPTION_DURATION,       /* in milliseconds, see duration.h */
	OPTION_LIMIT,	       /* the same; 0 and inf both mean none, which is kept as 0 */
	OPTION_LIMIT_INFINITE, /* or as DURATION_INFINITE */
	OPTION_OWN,	       /* a function of its own takes it */
	OPTION_REFUSED,	       /* people try it who know other programs; help says what to do */
};

struct option_row {
	char short_name;  /* 0: none */
	const char *name; /* without the dashes; NULL ends the table */
	const char *arg;  /* what its value is called in the help, NULL: takes none */
	const char *help; /* one line */
	enum option_kind kind;
	size_t at; /* where in the program's settings it is kept */
	/* 0, or -errno with *err filled. */
	int (*take)(const char *value, void *target, struct err *err);
	unsigned only; /* of those that share the table, the one program that has it; 0: all */
};

/* The end of a row: what the value is, and the member of the settings, which has to be of that type. */
#define OPTION_TO(kind_, type, member) \
	.kind = OPTION_##kind_,        \
	.at = offsetof(type, member) * _Generic(((type *)0)->member, OPTION_TYPE_##kind_ : 1)
/* The same with a function of its own, for a member of any type; or for the settings themselves. */
#define OPTION_BY(take_, type, member) OPTION_BY_ALL(take_), .at = offsetof(type, member)
#define OPTION_BY_ALL(take_)	       .kind = OPTION_OWN, .take = take_

#define OPTION_TYPE_FLAG	   bool
#define OPTION_TYPE_TEXT	   const char *
#define OPTION_TYPE_NUMBER	   unsigned long
#define OPTION_TYPE_SIZE	   uint64_t
#define OPTION_TYPE_DURATION	   uint64_t
#define OPTION_TYPE_LIMIT	   uint64_t
#define OPTION_TYPE_LIMIT_INFINITE uint64_t

/* A row in a macro, for tables of several programs. */
#define OPTION(...)         \
	{                   \
		__VA_ARGS__ \
	}

/* The last rows of every program, and the end of its table. */
#define OPTIONS_LAST(type)                                                                 \
	OPTION('V', "version", NULL, "print the version", OPTION_TO(FLAG, type, version)), \
		OPTION('h', "help", NULL, "print this help", OPTION_TO(FLAG, type, help)), \
		OPTION(0)

/* An argv on its way; all but the first four begin as 0. */
struct options {
	const struct option_row *rows;
	unsigned program; /* see only */
	int argc;
	char *const *argv;
	int at;		     /* the last word that was read; in the end the operands follow */
	const char *letters; /* of a word of several that are left, or NULL */
};

/* Takes all options into the settings. 0, or -errno with *err filled, which names the option. */
int options_parse(struct options *o, void *settings, struct err *err);

/* Takes that one. 0, or -errno with *err filled, which names it. */
int options_take(const struct option_row *row, const char *value, void *settings, struct err *err);

/*
 * Takes none: the index of the next one's row, and its value, empty if it has none; -1 at the end; or
 * -EINVAL with *err filled.
 */
int options_next(struct options *o, const char **ret_value, struct err *err);

/* A value that is a decimal number from min to max. 0, or -EINVAL with *err filled. */
int options_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret,
		   struct err *err);

/* How many letters must be put in, taken out or changed to make b of a; of a long b SIZE_MAX. */
size_t options_distance(const char *a, size_t a_len, const char *b);

/* Prints a line or two for each row that the program has. */
void options_help(FILE *out, const struct option_row *rows, unsigned program);

#endif
