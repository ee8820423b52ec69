/*
 * The prompt: readline on our loop, so that the connection is served while a line is edited, and its
 * history. Nothing else knows readline. There is one in a program, as there is one readline.
 */
#ifndef MSB_CONSOLE_PROMPT_H
#define MSB_CONSOLE_PROMPT_H

#include <stdbool.h>

#include "cli/terminal/stream.h"

/* What Tab is to complete. */
struct prompt_word {
	const char *line; /* all of it; the word begins at start */
	int start;
	const char *text; /* the word so far, without the quote that it began with */
	char quote;	  /* that quote, or 0 */
};

#define PROMPT_MATCHES_MAX 4096
#define PROMPT_HELD_MAX	   4096 /* as a terminal holds, which drops what is over */

struct prompt_matches {
	char *list[PROMPT_MATCHES_MAX]; /* malloced words, as they are to stand in the line */
	size_t count, taken;
	bool local; /* it is a file of the host: the prompt knows the way */
};

struct prompt {
	struct loop *loop;	       /* not owned */
	struct stream *in;	       /* the same: the terminal */
	bool shown;		       /* readline has the terminal */
	bool continues;		       /* its line belongs to those before it */
	bool asking;		       /* Tab waits, in the midst of readline */
	struct prompt_matches matches; /* what it has found */
	bool interrupted;	       /* meanwhile Ctrl-C came */
	char *aside;   /* owned: the unfinished line, while something else has the terminal */
	char *entry;   /* owned: for the history, as far as it is there */
	char *history; /* owned: the file, or NULL */
	char held[PROMPT_HELD_MAX]; /* keys that were read before what they are for can take them */
	size_t held_len;
	struct buf above; /* the beginning of a line to print above ours */
	struct loop_source terminal;
	struct loop_timer held_due, above_due;

	void *owner;
	void (*on_line)(void *owner, char *line); /* takes it; NULL: Ctrl-D, on an empty one */
	void (*on_interrupt)(void *owner); /* Ctrl-C: the line is gone, and no prompt shown */
	void (*on_hangup)(void *owner);	   /* the terminal is gone */
	void (*on_tab)(void *owner, const struct prompt_word *word, struct prompt_matches *matches);
};

/* Once, with all of the above that is not owned set. */
void prompt_init(struct prompt *prompt);
void prompt_release(struct prompt *prompt);

/* Shows it; continues: for more of a command. Then on_line is called, once. */
void prompt_show(struct prompt *prompt, const char *text, bool continues);

/* Somebody else needs the terminal: the unfinished line comes back with the next prompt. */
void prompt_put_aside(struct prompt *prompt);

/* It is not needed any more. */
void prompt_stop(struct prompt *prompt);

/* The command is whole: an entry of the history. */
void prompt_remember(struct prompt *prompt);

/* Prints above the line that is being edited: each line once it is whole, or once no more of it comes. */
void prompt_above(struct prompt *prompt, const char *data, size_t len);

/* Keys that nothing can take yet. As a terminal does, Ctrl-C forgets what was typed before it. */
void prompt_hold(struct prompt *prompt, const char *keys, size_t len);

/* Those keys, which the prompt has no more, in their order: how many. */
size_t prompt_take_held(struct prompt *prompt, char keys[PROMPT_HELD_MAX]);

void prompt_interrupt(struct prompt *prompt);
void prompt_resize(struct prompt *prompt);
void prompt_suspend(struct prompt *prompt);

/* Around a wait for Tab's answer, with the loop run within readline. False: Ctrl-C gave it up. */
void prompt_begin_wait(struct prompt *prompt);
bool prompt_end_wait(struct prompt *prompt);

#endif
