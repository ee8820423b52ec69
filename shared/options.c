/* Command-line options by one table: see options.h. */
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BASE    256 /* above every character, so that each row has a value of its own */
#define HELP_COLUMN  30
#define NAME_MAX_LEN 32 /* of an option; longer ones are not near to any */

static bool is_refused(const struct option_row *row)
{
	return !row->help;
}

static bool takes_value(const struct option_row *row)
{
	return row->arg && !is_refused(row);
}

static void build(const struct option_row *rows, size_t count, char *shorts, struct option *longs)
{
	/* '+': stop at the first operand; ':': tell a missing value from an unknown option. */
	char *at = stpcpy(shorts, "+:");

	for (size_t i = 0; i < count; i++) {
		longs[i] = (struct option){rows[i].name,
					   takes_value(&rows[i]) ? required_argument : no_argument,
					   NULL, LONG_BASE + (int)i};
		if (!rows[i].short_name)
			continue;
		*at++ = rows[i].short_name;
		if (takes_value(&rows[i]))
			*at++ = ':';
	}
	*at = '\0';
	longs[count] = (struct option){0};
}

/* ---- what is wrong with a word ---- */

static size_t smallest(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

size_t options_distance(const char *a, size_t a_len, const char *b)
{
	size_t row[NAME_MAX_LEN + 1], b_len = strlen(b);

	if (b_len > NAME_MAX_LEN)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t above = row[j];

			row[j] = smallest(above + 1, row[j - 1] + 1,
					  corner + (a[i - 1] == b[j - 1] ? 0 : 1));
			corner = above;
		}
	}
	return row[b_len];
}

/* The option that was meant, if one is so near that it may be said; or NULL. */
static const char *nearest(const struct option_row *rows, size_t count, const char *name,
			   size_t len)
{
	const char *best = NULL;
	size_t least = len / 3 + 1;

	if (len > NAME_MAX_LEN)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t far =
			is_refused(&rows[i]) ? SIZE_MAX : options_distance(name, len, rows[i].name);

		if (far < least || (far == least && !best)) {
			best = rows[i].name;
			least = far;
		}
	}
	return best;
}

/* What to do about an unknown option. */
static int suggest(const char *meant, struct err *err)
{
	return meant ? err_hint(err, "did you mean --%s? --help lists all options", meant)
		     : err_hint(err, "--help lists all options");
}

static int unknown(const struct option_row *rows, size_t count, const char *word, size_t len,
		   struct err *err)
{
	err_set(err, 0, NULL, "unknown option %.*s", (int)(2 + len), word);
	return suggest(nearest(rows, count, word + 2, len), err);
}

static int ambiguous(const struct option_row *rows, size_t count, const char *name, size_t len,
		     struct err *err)
{
	char list[ERR_HINT_MAX] = "";
	size_t at = 0;

	for (size_t i = 0; i < count && at < sizeof(list); i++)
		if (!is_refused(&rows[i]) && strncmp(rows[i].name, name, len) == 0)
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s--%s",
					       at ? ", " : "", rows[i].name);
	err_set(err, 0, NULL, "--%.*s may be several options", (int)len, name);
	return err_hint(err, "it begins %s", list);
}

/*
 * A long option's word before getopt sees it, which would say only that something is wrong, and lets
 * what is short for an option take the next word as its value: docker's --detach is not our
 * --detach-keys with a command's name for keys.
 */
static int check_long(const struct option_row *rows, size_t count, const char *word,
		      struct err *err)
{
	const char *name = word + 2;
	size_t len = strcspn(name, "="), matches = 0;
	const struct option_row *row = NULL;

	for (size_t i = 0; i < count; i++) {
		/* What is in no help is known by its whole name alone. */
		if (strncmp(rows[i].name, name, len) != 0 ||
		    (is_refused(&rows[i]) && rows[i].name[len]))
			continue;
		row = &rows[i];
		matches++;
		if (!row->name[len]) {
			matches = 1;
			break;
		}
	}
	if (!matches || !len)
		return unknown(rows, count, word, len, err);
	if (matches > 1)
		return ambiguous(rows, count, name, len, err);
	if (!takes_value(row) && name[len])
		return err_set(err, 0, NULL, "--%s takes no value", row->name);
	if (takes_value(row) && row->name[len] && !name[len]) {
		err_set(err, 0, NULL, "--%s is short for --%s, which takes a value", name,
			row->name);
		return err_hint(err, "write it out, --%s %s, or --%s=%s", row->name, row->arg, name,
				row->arg);
	}
	return 0;
}

static int complain(int found, const struct option_row *rows, size_t count, const char *word,
		    struct err *err)
{
	size_t len = word[0] == '-' && word[1] != '-' ? strcspn(word + 1, "=") : 0;

	if (found == ':' && optopt >= LONG_BASE)
		return err_set(err, 0, NULL, "--%s needs a value: %s",
			       rows[optopt - LONG_BASE].name, rows[optopt - LONG_BASE].arg);
	if (found == ':')
		return err_set(err, 0, NULL, "option -%c needs a value", optopt);
	err_set(err, 0, NULL, "unknown option -%c", optopt);
	/* With one dash, as some programs have it; a few letters are a few options. */
	return suggest(len > 3 ? nearest(rows, count, word + 1, len) : NULL, err);
}

/* ---- one after the other ---- */

/* getopt has found it there. */
static const struct option_row *find_short(const struct option_row *rows, size_t count, int name)
{
	size_t i = 0;

	while (i + 1 < count && rows[i].short_name != name)
		i++;
	return &rows[i];
}

/* An option that other programs have. */
static int refuse(const struct option_row *row, struct err *err)
{
	err_set(err, 0, NULL, "there is no --%s", row->name);
	return err_hint(err, "%s", row->arg);
}

void options_begin(void)
{
	optind = 0;
}

int options_next(int argc, char *const argv[], const struct option_row *rows, size_t count,
		 const char **ret_value, int *ret_operand, struct err *err)
{
	struct option longs[OPTIONS_MAX + 1];
	char shorts[2 * OPTIONS_MAX + 3];
	/* 0 is where getopt begins anew. */
	int at = optind ? optind : 1;
	const struct option_row *row;
	const char *word = at < argc ? argv[at] : "";
	int found;

	if (strncmp(word, "--", 2) == 0 && word[2] && check_long(rows, count, word, err) < 0)
		return -EINVAL;
	build(rows, count, shorts, longs);
	opterr = 0;
	optopt = 0;
	found = getopt_long(argc, argv, shorts, longs, NULL);
	if (found == -1) {
		*ret_operand = optind;
		return -1;
	}
	if (found == '?' || found == ':')
		return complain(found, rows, count, word, err);
	*ret_value = optarg;
	row = found >= LONG_BASE ? &rows[found - LONG_BASE] : find_short(rows, count, found);
	return is_refused(row) ? refuse(row, err) : (int)(row - rows);
}

int options_blame(const struct option_row *row, struct err *err)
{
	return err_about(err, "--%s", row->name);
}

int options_number(const char *text, unsigned long min, unsigned long max, unsigned long *ret,
		   struct err *err)
{
	char *end;

	errno = 0;
	*ret = strtoul(text, &end, 10);
	if (text[0] < '0' || text[0] > '9' || *end || errno || *ret < min || *ret > max)
		return err_set(err, 0, NULL, "%s is not a number from %lu to %lu", text, min, max);
	return 0;
}

void options_help(FILE *out, const struct option_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int n;

		if (is_refused(&rows[i]))
			continue;
		n = fprintf(out, rows[i].short_name ? "  -%c, --%s" : "  %c   --%s",
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
