/* Lines for people on stderr: see log.h. */
#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *log_program = "msb-exec";
static enum log_level log_max = LOG_LEVEL_WARN;
static bool log_journal;
static void (*log_put)(void *owner, const char *line, size_t len);
static void *log_owner;

/* The journal says in JOURNAL_STREAM which device and inode its stream has. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &dev, &ino) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == dev && st.st_ino == ino;
}

void log_init(const char *program, enum log_level level)
{
	log_program = program;
	log_max = level;
	log_journal = stderr_is_journal();
}

int log_level_parse(const char *name)
{
	static const char *const names[] = {"none", "error", "warn", "info", "debug"};

	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -EINVAL;
}

void log_clean(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < ' ' || c == 0x7f)
			text[i] = '?';
		/* U+0080 to U+009F, which some terminals obey. */
		if (c == 0xc2 && i + 1 < len && ((unsigned char)text[i + 1] & 0xe0) == 0x80)
			text[i] = text[i + 1] = '?';
	}
}

void log_divert(void (*put)(void *owner, const char *line, size_t len), void *owner)
{
	log_put = put;
	log_owner = owner;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char priority[] = {'6', '3', '4', '6', '7'};
	int saved = errno;
	char line[LOG_LINE_MAX];
	int at, n;
	va_list ap;

	if (level > log_max)
		return;
	if (log_journal)
		at = snprintf(line, sizeof(line), "<%c>", priority[level]);
	else
		at = snprintf(line, sizeof(line), "%s: ", log_program);
	va_start(ap, fmt);
	n = vsnprintf(line + at, sizeof(line) - (size_t)at - 1, fmt, ap);
	va_end(ap);
	if (n < 0)
		n = 0;
	if ((size_t)n > sizeof(line) - (size_t)at - 2)
		n = (int)sizeof(line) - at - 2;
	log_clean(line + at, (size_t)n);
	line[at + n] = '\n';
	if (log_put) {
		log_put(log_owner, line, (size_t)(at + n) + 1);
	} else if (write(STDERR_FILENO, line, (size_t)(at + n) + 1) < 0) {
		/* Nobody is left to tell. */
	}
	errno = saved;
}
