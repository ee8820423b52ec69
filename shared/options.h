/*
 * Command-line options by one table a program, which gives parsing, help and completion. On
 * getopt_long(3): options stop at the first operand, and may be abbreviated while unambiguous; what is
 * abbreviated has its value behind a =, and never in the next word.
 */
#ifndef MSB_OPTIONS_H
#define MSB_OPTIONS_H

#include <stddef.h>
#include <stdio.h>

#include "err.h"

struct option_row {
	char short_name;  /* 0: none */
	const char *name; /* without the dashes */
	const char *arg;  /* what its value is called in the help, NULL: takes none */
	/* One line. NULL: people try it who know other programs; it is refused, and arg says what to do. */
	const char *help;
};

#define OPTIONS_MAX 64

/* Before an argv that is not the program's first. */
void options_begin(void);

/*
 * The next option of argv: its row's index, with *ret_value set if it takes one; -1 at the first
 * operand, whose index is *ret_operand then; -EINVAL with *err filled. Not reentrant, as getopt.
 */
int options_next(int argc, char *const argv[], const struct option_row *rows, size_t count,
		 const char **ret_value, int *ret_operand, struct err *err);

/* A value of that option was refused: puts its name in front. Returns -errno. */
int options_blame(const struct option_row *row, struct err *err);

/* A value that is a decimal number from min to max. 0, or -EINVAL with *err filled. */
int options_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret,
		   struct err *err);

/* How many letters must be put in, taken out or changed to make b of a; of a long b SIZE_MAX. */
size_t options_distance(const char *a, size_t a_len, const char *b);

/* Prints a line or two for each row. */
void options_help(FILE *out, const struct option_row *rows, size_t count);

#endif
