/* A length of time as people write it: see duration.h. */
#include "duration.h"

#include <ctype.h>
#include <errno.h>
#include <float.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base.h"

#define TOO_LONG_MS 1e15 /* thirty thousand years */

/* strtod() would take blanks, signs, "0x10" and "nan" too. */
static bool begins_well(const char *text)
{
	if (strncasecmp(text, "inf", 3) == 0)
		return true;
	return (isdigit((unsigned char)text[0]) || text[0] == '.') &&
	       tolower((unsigned char)text[1]) != 'x';
}

int duration_parse(const char *text, uint64_t *ret_ms, struct err *err)
{
	static const struct {
		const char *suffix;
		double ms;
	} units[] = {{"", 1e3}, {"s", 1e3}, {"ms", 1}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
	double number, ms;
	char *end = NULL;

	errno = 0;
	number = begins_well(text) ? strtod(text, &end) : 0;
	/* So little is not nothing. */
	if (number == 0 && errno == ERANGE)
		number = DBL_MIN;
	for (size_t i = 0; end && end != text && i < ARRAY_LEN(units); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		ms = number * units[i].ms;
		if (ms > TOO_LONG_MS) {
			*ret_ms = DURATION_INFINITE;
			return 0;
		}
		*ret_ms = (uint64_t)ms;
		if ((double)*ret_ms < ms)
			++*ret_ms;
		return 0;
	}
	return err_set(err, 0, NULL, "%s is not a duration such as 1.5s, 500ms or 2m", text);
}

int duration_limit(const char *text, uint64_t none, uint64_t *ret_ms, struct err *err)
{
	uint64_t ms = 0;
	int r = duration_parse(text, &ms, err);

	if (r == 0)
		*ret_ms = ms && ms != DURATION_INFINITE ? ms : none;
	return r;
}
