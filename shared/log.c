/* Lines for people: see log.h. */
#include "log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base.h"
#include "fd.h"
#include "journal.h"
#include "shown.h"
#include "utf8.h"

#define RATE_MS	   10000
#define RATE_LINES 10
#define RATE_ALL   100
#define LAST_MS	   500 /* for the last line about a file */

static const char *log_program = "msb-exec";
static enum log_level log_max = LOG_LEVEL_WARN;
static bool log_journal;
static int log_journal_fd = -1; /* for what goes there with fields */
static bool log_waits = true;
static int log_fd = STDERR_FILENO;
static unsigned long log_lost;
/* Of warnings and errors; of the others, which hide none of them. */
static struct log_rate log_of_all[2];
static void (*log_put)(void *owner, const char *line, size_t len);
static void *log_owner;

/* Where lines go instead; and those that could not be written, with the first reason. */
static struct {
	int fd;
	const char *path;
	unsigned long lost;
	int error;
} log_file = {.fd = -1};

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

int log_level_parse(const char *name, void *ret_level, struct err *err)
{
	static const char *const names[] = {"none", "error", "warn", "info", "debug"};

	for (int i = 0; i <= LOG_LEVEL_DEBUG; i++)
		if (strcmp(name, names[i]) == 0) {
			*(enum log_level *)ret_level = (enum log_level)i;
			return 0;
		}
	return err_set(err, 0, NULL, "%s is not none, error, warn, info or debug", name);
}

bool log_shows(enum log_level level)
{
	return level <= log_max;
}

void log_divert(void (*put)(void *owner, const char *line, size_t len), void *owner)
{
	log_put = put;
	log_owner = owner;
}

int log_to_file(const char *path, struct err *err)
{
	/* Without O_NONBLOCK a FIFO would be waited for, here and at each line. */
	int fd =
		open(path, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0666);

	if (fd < 0)
		return err_set(err, errno, NULL, "cannot open %s", path);
	fd_close(&log_file.fd);
	log_file.fd = fd;
	log_file.path = path;
	log_file.lost = 0;
	return 0;
}

bool log_has_file(void)
{
	return log_file.fd >= 0;
}

int log_file_fd(void)
{
	return log_file.fd;
}

static void write_to_file(const char *line, size_t len)
{
	ssize_t n;

	do {
		n = write(log_file.fd, line, len);
	} while (n < 0 && errno == EINTR);
	if (n == (ssize_t)len)
		return;
	/* Half a line is what a disk gives that is about to be full. */
	if (!log_file.lost++)
		log_file.error = n < 0 ? errno : ENOSPC;
}

void log_never_wait(void)
{
	int fd;

	log_waits = false;
	/* Of a terminal it cannot be said how much it takes at once. */
	fd = isatty(STDERR_FILENO) ? fd_reopen_nonblock(STDERR_FILENO, O_WRONLY) : -1;
	if (fd >= 0)
		log_fd = fd;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool is_over(const struct log_rate *rate, uint64_t at_ms)
{
	return at_ms - rate->since_ms >= RATE_MS;
}

static bool is_within(struct log_rate *rate, unsigned lines, uint64_t at_ms)
{
	if (is_over(rate, at_ms))
		*rate = (struct log_rate){.since_ms = at_ms};
	if (rate->said < lines) {
		rate->said++;
		return true;
	}
	rate->left_out++;
	return false;
}

static void tell_left_out(const struct log_rate *rate, const char *whose)
{
	if (rate->left_out)
		log_warn("%s: %u more lines were left out", whose, rate->left_out);
}

static bool is_within_all(enum log_level level, uint64_t at_ms)
{
	struct log_rate *rate = &log_of_all[level > LOG_LEVEL_WARN];

	if (is_over(rate, at_ms))
		tell_left_out(rate, "clients");
	return is_within(rate, RATE_ALL, at_ms);
}

static void end_rate(struct log_rate *rate, uint64_t at_ms, const char *whose)
{
	/* There may be thousands of these. */
	if (rate->left_out && is_within_all(LOG_LEVEL_WARN, at_ms))
		tell_left_out(rate, whose);
	rate->left_out = 0;
}

bool log_may(struct log_rate *rate, enum log_level level, uint64_t at_ms, const char *whose)
{
	/* What nobody sees is not missed. */
	if (level > log_max)
		return false;
	if (is_over(rate, at_ms))
		end_rate(rate, at_ms, whose);
	return is_within(rate, RATE_LINES, at_ms) && is_within_all(level, at_ms);
}

void log_rate_end(struct log_rate *rate, const char *whose)
{
	end_rate(rate, now_ms(), whose);
}

void log_rates_end(void)
{
	for (size_t i = 0; i < ARRAY_LEN(log_of_all); i++) {
		tell_left_out(&log_of_all[i], "clients");
		log_of_all[i].left_out = 0;
	}
}

/* As much as a pipe that is ready is sure to take. */
static bool has_room(int within_ms)
{
	struct pollfd one = {.fd = log_fd, .events = POLLOUT};

	return poll(&one, 1, within_ms) > 0;
}

static void write_line(const char *line, size_t len)
{
	if (write(log_fd, line, len) < 0) {
		/* Nobody is left to tell. */
	}
}

static void put_line(const char *line, size_t len)
{
	char lost[128];
	int n;

	if (log_put) {
		log_put(log_owner, line, len);
		return;
	}
	if (!log_waits && !has_room(0)) {
		log_lost++;
		return;
	}
	if (log_lost) {
		n = snprintf(lost, sizeof(lost),
			     "%s%.40s: %lu lines were left out: nobody took them\n",
			     log_journal ? "<4>" : "", log_program, log_lost);
		log_lost = 0;
		write_line(lost, (size_t)n);
		put_line(line, len);
		return;
	}
	write_line(line, len);
}

static int begin_in_file(char *line, size_t len)
{
	struct timespec now;
	struct tm tm;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	return snprintf(line, len,
			"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ %.40s[%d]: ", tm.tm_year + 1900,
			tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
			(int)(now.tv_nsec / 1000000), log_program, (int)getpid());
}

static const char priority[] = {'6', '3', '4', '6', '7'};

static int begin_on_stderr(char *line, size_t len, enum log_level level)
{
	if (log_journal)
		return snprintf(line, len, "<%c>", priority[level]);
	return snprintf(line, len, "%s: ", log_program);
}

static void say(bool in_file, enum log_level level, const char *fmt, va_list ap)
{
	int saved = errno;
	char words[LOG_LINE_MAX], line[LOG_LINE_MAX];
	size_t len;
	int at, n;

	if (level > log_max)
		return;
	at = in_file ? begin_in_file(line, sizeof(line))
		     : begin_on_stderr(line, sizeof(line), level);
	n = vsnprintf(words, sizeof(words), fmt, ap);
	len = n < 0 ? 0 : strlen(words);
	/* No half of a character, which would be shown as what it is not. */
	if ((size_t)n > len)
		len -= utf8_begun(words, len);
	len = (size_t)at + shown_put(line + at, sizeof(line) - (size_t)at - 1, words, len);
	line[len] = '\n';
	if (in_file)
		write_to_file(line, len + 1);
	else
		put_line(line, len + 1);
	errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(log_has_file(), level, fmt, ap);
	va_end(ap);
}

void log_caused(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	if (level > log_max || !is_within_all(level, now_ms()))
		return;
	va_start(ap, fmt);
	say(log_has_file(), level, fmt, ap);
	va_end(ap);
}

static void say_on_stderr(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

static void say_on_stderr(enum log_level level, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(false, level, fmt, ap);
	va_end(ap);
}

void log_answer(enum log_level level, const char *words)
{
	log_line(level, "%s", words);
	if (log_has_file() && isatty(STDERR_FILENO))
		say_on_stderr(level, "%s", words);
}

static int put_field(struct journal_message *message, const struct log_field *field)
{
	char key[64] = "MSB_";
	size_t at = strlen(key);

	for (const char *c = field->key; *c && at < sizeof(key) - 1; c++)
		key[at++] = (char)toupper((unsigned char)*c);
	key[at] = '\0';
	return journal_put(message, key, field->value, strlen(field->value));
}

/* 0, or -errno: the journal has nothing of it. */
static int send_fields(const char *line, const struct log_field *fields, size_t count)
{
	struct journal_message message = {.len = 0};
	int r = journal_put(&message, "MESSAGE", line, strlen(line));

	if (r == 0)
		r = journal_put(&message, "PRIORITY", &priority[LOG_LEVEL_INFO], 1);
	if (r == 0)
		r = journal_put(&message, "SYSLOG_IDENTIFIER", log_program, strlen(log_program));
	for (size_t i = 0; r == 0 && i < count; i++)
		r = put_field(&message, &fields[i]);
	return r < 0 ? r : journal_send(&log_journal_fd, &message);
}

void log_record(const char *line, const struct log_field *fields, size_t count)
{
	int saved = errno;

	if (!log_shows(LOG_LEVEL_INFO))
		return;
	if (!log_journal || log_put || log_has_file() || send_fields(line, fields, count) < 0)
		log_info("%s", line);
	errno = saved;
}

void log_err(const struct err *err)
{
	char words[ERR_TEXT_MAX + 64];

	log_error("%s", err_words(err, words, sizeof(words)));
	if (err->hint[0])
		log_error("%s", err->hint);
}

void log_file_end(void)
{
	if (!log_has_file())
		return;
	fd_close(&log_file.fd);
	if (log_file.lost && has_room(LAST_MS))
		log_error("%lu %s missing in %s: %s", log_file.lost,
			  log_file.lost == 1 ? "line is" : "lines are", log_file.path,
			  log_file.error == EAGAIN ? "nobody took them" : strerror(log_file.error));
	log_file.lost = 0;
}

bool log_flushed_stdout(void)
{
	int before = errno;

	/* What failed while it was being filled is not tried again, and its errno is still there. */
	if (fflush(stdout) == 0) {
		if (!ferror(stdout))
			return true;
		errno = before;
	}
	/* Whoever left (head, a pager) has seen enough. */
	if (errno != EPIPE)
		log_error("cannot write output: %s", strerror(errno));
	return false;
}
