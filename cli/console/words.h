/* Words of the shell, as far as Tab must know them. Pure. */
#ifndef MSB_CONSOLE_WORDS_H
#define MSB_CONSOLE_WORDS_H

#include <stdbool.h>
#include <stddef.h>

struct words_place {
	char quote;   /* the one that is open, or 0 */
	bool escaped; /* by a backslash before it */
	bool command; /* a word that begins here is a command's name */
};

/* What is at that place of a line. */
struct words_place words_look(const char *line, size_t at);

/*
 * The text as one word of the shell, in malloced memory, or NULL. quote: 0 for backslashes, or the
 * quote that the word has begun with, which is not repeated and not closed. A text with characters that
 * shown.h has as numbers can only be had in bash, unquoted; else NULL too.
 */
char *words_quote(const char *text, char quote, bool bash);

/* The other way: what the shell makes of that part of a word. In malloced memory, or NULL. */
char *words_unquote(const char *text, char quote);

/*
 * The next word of a text, as the shell makes it, in malloced memory, or NULL where that has no room; *text goes on
 * behind it and its blanks. home: what ~ stands for, or NULL for no such thing.
 */
char *words_next(const char **text, const char *home);

#endif
