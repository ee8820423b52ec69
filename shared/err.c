/* Failures as values: see err.h. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int err_set(struct err *err, int num, const char *stage, const char *fmt, ...)
{
	va_list ap;

	err->num = num;
	err->stage = stage;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return num ? -num : -EINVAL;
}

const char *err_words(const struct err *err, char *out, size_t len)
{
	if (err->num)
		snprintf(out, len, "%s: %s", err->text, strerror(err->num));
	else
		snprintf(out, len, "%s", err->text);
	return out;
}
