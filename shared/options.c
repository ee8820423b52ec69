/* Command-line options by one table: see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BASE   256 /* above every character, so that each row has a value of its own */
#define HELP_COLUMN 30

static void build(const struct option_row *rows, size_t count, char *shorts, struct option *longs)
{
	/* '+': stop at the first operand; ':': tell a missing value from an unknown option. */
	char *at = stpcpy(shorts, "+:");

	for (size_t i = 0; i < count; i++) {
		longs[i] =
			(struct option){rows[i].name, rows[i].arg ? required_argument : no_argument,
					NULL, LONG_BASE + (int)i};
		if (!rows[i].short_name)
			continue;
		*at++ = rows[i].short_name;
		if (rows[i].arg)
			*at++ = ':';
	}
	*at = '\0';
	longs[count] = (struct option){0};
}

static int complain(int found, char *const argv[], struct err *err)
{
	const char *word = optind > 0 ? argv[optind - 1] : "";

	if (optopt && optopt < LONG_BASE)
		return err_set(err, 0, NULL,
			       found == ':' ? "option -%c needs a value" : "unknown option -%c",
			       optopt);
	return err_set(err, 0, NULL,
		       found == ':' ? "option %s needs a value"
				    : "unknown or ambiguous option %s, or a value for one "
				      "that takes none",
		       word);
}

int options_next(int argc, char *const argv[], const struct option_row *rows, size_t count,
		 const char **ret_value, int *ret_operand, struct err *err)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 3];
	int found;

	build(rows, count, shorts, longs);
	opterr = 0;
	optopt = 0;
	found = getopt_long(argc, argv, shorts, longs, NULL);
	if (found == -1) {
		*ret_operand = optind;
		return -1;
	}
	if (found == '?' || found == ':')
		return complain(found, argv, err);
	*ret_value = optarg;
	if (found >= LONG_BASE)
		return found - LONG_BASE;
	for (size_t i = 0; i < count; i++)
		if (rows[i].short_name == found)
			return (int)i;
	return -EINVAL;
}

int options_number(const char *text, unsigned long max, unsigned long *ret, struct err *err)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || *ret > max)
		return err_set(err, 0, NULL, "%s is not a number up to %lu", text, max);
	return 0;
}

void options_help(FILE *out, const struct option_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int n = fprintf(out, rows[i].short_name ? "  -%c, --%s" : "  %c   --%s",
				rows[i].short_name ? rows[i].short_name : ' ', rows[i].name);

		if (rows[i].arg)
			n += fprintf(out, " %s", rows[i].arg);
		if (n >= HELP_COLUMN) {
			fputc('\n', out);
			n = 0;
		}
		fprintf(out, "%*s%s\n", HELP_COLUMN - n, "", rows[i].help);
	}
}
