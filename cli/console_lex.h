/*
 * As much of the shell's grammar as a console must know: whether a line goes on, and where in it
 * a command's name stands. The guest's own shell is asked where this is not sure. Pure.
 */
#ifndef MSB_CONSOLE_LEX_H
#define MSB_CONSOLE_LEX_H

#include <stdbool.h>
#include <stddef.h>

#define LEX_DEPTH 64

enum lex_verdict {
	LEX_WHOLE, /* can be run */
	LEX_OPEN,  /* goes on in the next line */
	LEX_ASK,   /* only a shell's parser can tell */
};

struct lex {
	char open[LEX_DEPTH]; /* what is open, the innermost last: ' " E ( { A a ` */
	size_t depth;
	bool escaped; /* a backslash at the end quotes what comes */
	bool here;    /* a here-document has not ended */
	bool special; /* there is something that may need a partner */
	bool command; /* a word that begins here is a command's name */
};

/* Reads the text; a depth over LEX_DEPTH counts as special. */
void lex_read(const char *text, size_t len, struct lex *ret);

enum lex_verdict lex_judge(const char *text, size_t len);

/* What is written on stderr by sh -n in the C locale, len bytes: whether it missed an end. */
bool lex_missed_end(const char *errors, size_t len);

/*
 * The text as one word of the shell, in malloced memory, or NULL. quote: 0 for backslashes, or the
 * quote that the word has begun with, which is not repeated and not closed. A text with control
 * characters can only be had in bash, unquoted; else NULL too.
 */
char *lex_quote(const char *text, char quote, bool bash);

/* The other way: what the shell makes of that part of a word. In malloced memory, or NULL. */
char *lex_unquote(const char *text, char quote);

#endif
