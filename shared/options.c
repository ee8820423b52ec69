/* Command-line options by one table: see options.h. */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "duration.h"
#include "size.h"

#define HELP_COLUMN  30
#define NAME_MAX_LEN 32 /* of an option; longer ones are not near to any */

static bool has(const struct options *o, const struct option_row *row)
{
	return !row->only || row->only == o->program;
}

/* It is in the help. */
static bool offers(const struct options *o, const struct option_row *row)
{
	return has(o, row) && row->kind != OPTION_REFUSED;
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
static const char *nearest(const struct options *o, const char *name, size_t len)
{
	const char *best = NULL;
	size_t least = len / 3 + 1;

	if (len > NAME_MAX_LEN)
		return NULL;
	for (const struct option_row *row = o->rows; row->name; row++) {
		size_t far = offers(o, row) ? options_distance(name, len, row->name) : SIZE_MAX;

		if (far < least || (far == least && !best)) {
			best = row->name;
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

static void unknown(const struct options *o, const char *name, size_t len, struct err *err)
{
	err_set(err, 0, NULL, "unknown option --%.*s", (int)len, name);
	suggest(nearest(o, name, len), err);
}

static int unknown_letter(const struct options *o, char letter, struct err *err)
{
	const char *word = o->argv[o->at] + 1;
	size_t len = strcspn(word, "=");

	err_set(err, 0, NULL, "unknown option -%c", letter);
	/* With one dash, as some programs have it; a few letters are a few options. */
	return suggest(len > 3 ? nearest(o, word, len) : NULL, err);
}

static void ambiguous(const struct options *o, const char *name, size_t len, struct err *err)
{
	char list[ERR_HINT_MAX] = "";
	size_t at = 0;

	for (const struct option_row *row = o->rows; row->name && at < sizeof(list); row++)
		if (offers(o, row) && strncmp(row->name, name, len) == 0)
			at += (size_t)snprintf(list + at, sizeof(list) - at, "%s--%s",
					       at ? ", " : "", row->name);
	err_set(err, 0, NULL, "--%.*s may be several options", (int)len, name);
	err_hint(err, "it begins %s", list);
}

/* ---- one after the other ---- */

static const char *next_word(struct options *o)
{
	return o->at + 1 < o->argc ? o->argv[++o->at] : NULL;
}

/* The option of that name, or the only one that it is short for; or NULL, with *err filled. */
static const struct option_row *find_long(const struct options *o, const char *name, size_t len,
					  struct err *err)
{
	const struct option_row *only = NULL;
	size_t matches = 0;

	for (const struct option_row *row = o->rows; row->name; row++) {
		if (!has(o, row) || strncmp(row->name, name, len) != 0)
			continue;
		if (!row->name[len])
			return row;
		/* What is in no help is known by its whole name alone. */
		if (!offers(o, row))
			continue;
		only = row;
		matches++;
	}
	if (matches == 1 && len)
		return only;
	if (!matches || !len)
		unknown(o, name, len, err);
	else
		ambiguous(o, name, len, err);
	return NULL;
}

/* The index of an option without a value, or what to do instead if other programs have it. */
static int alone(const struct options *o, const struct option_row *row, struct err *err)
{
	if (row->kind != OPTION_REFUSED)
		return (int)(row - o->rows);
	err_set(err, 0, NULL, "there is no --%s", row->name);
	return err_hint(err, "%s", row->help);
}

/*
 * What is short for an option takes no word for its value: docker's --detach is not our --detach-keys with
 * a command's name for keys.
 */
static int next_long(struct options *o, const char *name, const char **ret_value, struct err *err)
{
	size_t len = strcspn(name, "=");
	const struct option_row *row = find_long(o, name, len, err);

	if (!row)
		return -EINVAL;
	if (!row->arg)
		return name[len] ? err_set(err, 0, NULL, "--%s takes no value", row->name)
				 : alone(o, row, err);
	if (!name[len] && row->name[len]) {
		err_set(err, 0, NULL, "--%s is short for --%s, which takes a value", name,
			row->name);
		return err_hint(err, "write it out, --%s %s, or --%s=%s", row->name, row->arg, name,
				row->arg);
	}
	*ret_value = name[len] ? name + len + 1 : next_word(o);
	if (!*ret_value)
		return err_set(err, 0, NULL, "--%s needs a value: %s", row->name, row->arg);
	return (int)(row - o->rows);
}

static int next_letter(struct options *o, const char **ret_value, struct err *err)
{
	const struct option_row *row = o->rows;
	char letter = *o->letters++;
	const char *rest = *o->letters ? o->letters : NULL;

	while (row->name && !(has(o, row) && row->short_name == letter))
		row++;
	if (!row->name)
		return unknown_letter(o, letter, err);
	o->letters = row->arg ? NULL : rest;
	if (!row->arg)
		return alone(o, row, err);
	*ret_value = rest ? rest : next_word(o);
	if (!*ret_value)
		return err_set(err, 0, NULL, "option -%c needs a value", letter);
	return (int)(row - o->rows);
}

int options_next(struct options *o, const char **ret_value, struct err *err)
{
	const char *word = o->at + 1 < o->argc ? o->argv[o->at + 1] : "";

	*ret_value = "";
	if (o->letters)
		return next_letter(o, ret_value, err);
	if (word[0] != '-' || !word[1])
		return -1;
	o->at++;
	if (word[1] == '-')
		return word[2] ? next_long(o, word + 2, ret_value, err) : -1;
	o->letters = word + 1;
	return next_letter(o, ret_value, err);
}

/* ---- what becomes of their values ---- */

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

static int take(const struct option_row *row, const char *value, void *target, struct err *err)
{
	switch (row->kind) {
	case OPTION_FLAG:
		*(bool *)target = true;
		return 0;
	case OPTION_TEXT:
		*(const char **)target = value;
		return 0;
	case OPTION_NUMBER:
		return options_number(value, 1, OPTIONS_NUMBER_MAX, target, err);
	case OPTION_SIZE:
		return size_parse(value, target, err);
	case OPTION_DURATION:
		return duration_parse(value, target, err);
	case OPTION_LIMIT:
		return duration_limit(value, 0, target, err);
	case OPTION_LIMIT_INFINITE:
		return duration_limit(value, DURATION_INFINITE, target, err);
	case OPTION_OWN:
		return row->take(value, target, err);
	default:
		return 0;
	}
}

int options_take(const struct option_row *row, const char *value, void *settings, struct err *err)
{
	if (take(row, value, (char *)settings + row->at, err) < 0)
		return err_about(err, "--%s", row->name);
	return 0;
}

int options_parse(struct options *o, void *settings, struct err *err)
{
	const char *value;
	int i;

	while ((i = options_next(o, &value, err)) >= 0)
		if (options_take(&o->rows[i], value, settings, err) < 0)
			return -EINVAL;
	return i == -1 ? 0 : i;
}

void options_help(FILE *out, const struct option_row *rows, unsigned program)
{
	const struct options o = {.rows = rows, .program = program};

	for (const struct option_row *row = rows; row->name; row++) {
		int n;

		if (!offers(&o, row))
			continue;
		n = fprintf(out, row->short_name ? "  -%c, --%s" : "  %c   --%s",
			    row->short_name ? row->short_name : ' ', row->name);
		if (row->arg)
			n += fprintf(out, " %s", row->arg);
		if (n >= HELP_COLUMN) {
			fputc('\n', out);
			n = 0;
		}
		fprintf(out, "%*s%s\n", HELP_COLUMN - n, "", row->help);
	}
}
