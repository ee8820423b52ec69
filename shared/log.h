/*
 * Lines for people on stderr, or in a file. Each names the program; under the journal each carries its
 * priority instead, as sd-daemon(3) has it. They are written as shown.h has it, so that text from a peer
 * cannot drive the reader's terminal.
 */
#ifndef MSB_LOG_H
#define MSB_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum log_level { LOG_LEVEL_NONE, LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* Sets the program's name (kept, not copied) and the most verbose level that is shown. */
void log_init(const char *program, enum log_level level);

/* The level of that name, for an option's enum log_level. 0, or -EINVAL with *err filled. */
int log_level_parse(const char *name, void *ret_level, struct err *err);

/* Whether lines of that level are shown: what is said by nobody need not be made. */
bool log_shows(enum log_level level);

#define LOG_LINE_MAX 1000 /* bytes of a line, its newline among them */

/* Has lines, each with its newline, written by somebody who does not wait. NULL: to stderr again. */
void log_divert(void (*put)(void *owner, const char *line, size_t len), void *owner);

/*
 * From now on lines are added to that file (its name is kept, not copied), and none goes to stderr or to who
 * was named with log_divert(): each in one write, with the time in front, since others may write there too.
 * Never waits: not for a reader of a FIFO either, which there has to be. 0, or -errno with *err filled.
 */
int log_to_file(const char *path, struct err *err);

/* Whether lines go to a file; and its descriptor, which stays here and no child has, or -1. */
bool log_has_file(void);
int log_file_fd(void);

/* To stderr again. If lines could not be written to the file, one says so there, unless nobody takes it. */
void log_file_end(void);

/*
 * From now on a line that stderr has no room for is left out, and their number is said with the next
 * that fits: whoever serves others waits for no reader.
 */
void log_never_wait(void);

/* How much may be said on account of one peer. All zero to start with. */
struct log_rate {
	uint64_t since_ms;
	unsigned said, left_out;
};

/*
 * Whether one more line of that level may be: ten in ten seconds are on account of one, and on account of all
 * together, who may come under ever new names, a hundred warnings and errors, and a hundred of all else; how many
 * were not is said afterwards.
 */
bool log_may(struct log_rate *rate, enum log_level level, uint64_t now_ms, const char *whose);

/* He has gone, or whatever it was is over: what was left out is said now, as far as there may be one more line. */
void log_rate_end(struct log_rate *rate, const char *whose);

/* The same of all together, at the end of a program. */
void log_rates_end(void);

/* A line that others can cause and whose peer has no rate of its own: one of these hundreds, or left out. */
void log_caused(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Writes one line, at most LOG_LINE_MAX bytes, in one write; errno is left as it was. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* One that answers somebody's keys: with a file it is also shown on the terminal that stderr is, if it is one. */
void log_answer(enum log_level level, const char *words);

/* One field of what programs read, too: key in lower case, value a text. */
struct log_field {
	const char *key, *value;
};

/*
 * A line at level info that programs read, too. Where stderr is the journal, it goes there once and with its
 * fields, each as MSB_ and its key in capitals; where that takes none, and everywhere else, it is the line alone.
 * Never waits where lines do not.
 */
void log_record(const char *line, const struct log_field *fields, size_t count);

/* An error, and on a line of its own the way out if there is one. */
void log_err(const struct err *err);

/* Whether all that was printed could be written; if not, a line says so, unless its reader has left. */
bool log_flushed_stdout(void);

#define log_error(...) log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warn(...)  log_line(LOG_LEVEL_WARN, __VA_ARGS__)
#define log_info(...)  log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
