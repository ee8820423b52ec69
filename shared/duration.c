/* A length of time as people write it: see duration.h. */
#include "duration.h"

#include <stdlib.h>
#include <string.h>

#define TOO_LONG_MS 1e15

int duration_parse(const char *text, bool allow_inf, uint64_t *ret_ms, struct err *err)
{
	static const struct {
		const char *suffix;
		double ms;
	} units[] = {{"", 1e3}, {"s", 1e3}, {"ms", 1}, {"m", 6e4}, {"h", 3.6e6}, {"d", 8.64e7}};
	double number, ms;
	char *end;

	if (allow_inf && strcmp(text, "inf") == 0) {
		*ret_ms = DURATION_INFINITE;
		return 0;
	}
	number = strtod(text, &end);
	/* strtod would take blanks, signs, exponents, "0x10", "nan" and "infinity" too. */
	if (end == text || strspn(text, "0123456789.") != (size_t)(end - text))
		return err_set(err, 0, NULL, "%s is not a duration such as 1.5s, 500ms or 2m",
			       text);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		ms = number * units[i].ms;
		if (ms > TOO_LONG_MS)
			return err_set(err, 0, NULL, "%s is too long", text);
		*ret_ms = (uint64_t)ms;
		if ((double)*ret_ms < ms)
			++*ret_ms;
		return 0;
	}
	return err_set(err, 0, NULL, "%s is not a duration such as 1.5s, 500ms or 2m", text);
}
