/*
 * Guests that have names: a file of the user's, with a line for each, NAME ENDPOINT [OPTION]... Words are those of a
 * shell as far as quotes and backslashes go; an endpoint that begins with exec: outside of quotes goes on to the
 * end of its line as it stands. Lines that are empty, or begin with #, count for nothing. A line may name a
 * command that is run, so a file that others may write is refused.
 */
#ifndef MSB_GUESTS_H
#define MSB_GUESTS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "shared/err.h"

#define GUESTS_NAME_MAX	 64
#define GUESTS_MAX	 1024
#define GUESTS_FILE_MAX	 ((size_t)1024 * 1024)
#define GUESTS_WORDS_MAX 64 /* of one line */

/* A line. Its texts are in the file's, which guests_find() gives to it. */
struct guest_line {
	char *name, *endpoint;
	/* Its options, as an argv: the first is its name, NULL is behind the last. */
	char *words[GUESTS_WORDS_MAX + 1];
	int word_count;
	int number; /* of the line, from 1 */
	char *text; /* owned, or NULL */
};

/* The file on its way. */
struct guests {
	char path[PATH_MAX];
	char *text, *at; /* owned, ended by NUL; what was not read yet */
	size_t len;
	const char *names[GUESTS_MAX]; /* that were read */
	size_t count;
	int number; /* of the last line that was read */
};

/* The shape of a name. */
bool guests_is_name(const char *text);

/*
 * Reads the file as a whole, which must be there, a file, ours or root's, and nobody else's to write. 0, or -errno with
 * *err filled and nothing to release; -ENOENT is a file that is not there. ret->path is set where one is known.
 */
int guests_open(struct guests *ret, struct err *err);

/* The same of a text, which is taken: malloced, with a NUL behind its len bytes. */
void guests_take(struct guests *ret, const char *path, char *text, size_t len);
void guests_close(struct guests *guests);

/*
 * The next one, whose texts live as long as *guests: 1, 0 at the end, or -EINVAL with *err filled, which names the
 * line; what follows it can still be read.
 */
int guests_next(struct guests *guests, struct guest_line *ret, struct err *err);

/* What else is asked of each line. 0, or -errno with *err filled. */
typedef int guests_check(const struct guest_line *line, void *of, struct err *err);

/*
 * The line of that name, to be released: 0, or -errno with *err filled; -ENOENT: there is none. What is wrong with
 * any line is an error, so that it is seen.
 */
int guests_find(const char *name, guests_check *check, void *of, struct guest_line *ret,
		struct err *err);
void guest_line_release(struct guest_line *line);

/* Says which line an error is about. */
int guests_about(const struct guests *guests, int number, struct err *err);

#endif
