/* Failures as values: see err.h. */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int value_of(const struct err *err)
{
	return err->num ? -err->num : -EINVAL;
}

int err_set(struct err *err, int num, const char *stage, const char *fmt, ...)
{
	va_list ap;

	err->num = num;
	err->stage = stage;
	err->hint[0] = '\0';
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	return value_of(err);
}

int err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return value_of(err);
}

int err_about(struct err *err, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n + 2 < sizeof(text)) {
		size_t room = sizeof(text) - (size_t)n - 3;

		snprintf(text + n, sizeof(text) - (size_t)n, ": %.*s", (int)room, err->text);
	}
	memcpy(err->text, text, sizeof(text));
	return value_of(err);
}

const char *err_words(const struct err *err, char *out, size_t len)
{
	if (err->num)
		snprintf(out, len, "%s: %s", err->text, strerror(err->num));
	else
		snprintf(out, len, "%s", err->text);
	return out;
}

const char *err_sentence(const struct err *err, char *out, size_t len)
{
	size_t at = strlen(err_words(err, out, len));

	if (err->hint[0])
		snprintf(out + at, len - at, "; %s", err->hint);
	return out;
}
