/*
 * What msb-exec reads for the command: never more than may go, and nothing in the background. Of a terminal
 * the keys that are ours are taken out.
 */
#ifndef MSB_EXEC_INPUT_H
#define MSB_EXEC_INPUT_H

#include "cli/client/remote.h"
#include "cli/terminal/escape.h"
#include "cli/terminal/stream.h"

enum exec_input_state {
	EXEC_INPUT_SHUT, /* nothing is read */
	EXEC_INPUT_OPEN,
	EXEC_INPUT_ENDED, /* the end has been sent, or the command takes no more: our own keys are read */
};

/* Whether what is read goes to the command. */
enum exec_input_way {
	EXEC_INPUT_GOES,
	EXEC_INPUT_RESTS, /* nothing is read for a while */
	EXEC_INPUT_WAITS, /* its connection is lost: keys of ours are heeded, others wait for another one */
};

struct exec_input {
	enum exec_input_state state;
	enum exec_input_way way;
	struct stream stream;
	struct remote *remote; /* not owned */
	bool has_keys;	       /* of ours: both sides have a terminal */
	bool is_terminal;
	bool leaves_open; /* our end is not that of the session's stdin */
	bool away;	  /* the terminal was somebody else's when we looked */
	bool plenty;	  /* so much comes that moving pages pays */
	bool newline;	  /* the last byte sent was one */
	char failure
		[256]; /* the command did not get all of it, though it would have taken it; or empty */
	struct escape escape;
	struct loop_timer background;

	/* Its creator's, set before exec_input_init(). */
	void *owner;
	void (*on_escape)(void *owner, enum escape_action action);
	/* A key that stands for that signal; sent: the command has it. */
	void (*on_signal_key)(void *owner, int signal, bool sent);
	void (*on_foreground)(void *owner); /* the terminal is ours again */
	void (*on_failed)(void *owner, const char *why);
};

void exec_input_init(struct exec_input *input, struct loop *loop, struct buf_spare *spare);
void exec_input_release(struct exec_input *input);

/* From now on it is read for that session, with those keys of ours. */
void exec_input_open(struct exec_input *input, struct remote *remote, bool is_terminal,
		     const struct opts *opts);

void exec_input_go(struct exec_input *input, enum exec_input_way way);

/*
 * Whether nothing is left to be read, although its end may not have been read. May take a byte that is, and waits a
 * moment for a program that is about to close it.
 */
bool exec_input_is_spent(const struct exec_input *input);

/* Nothing is read any more. */
void exec_input_shut(struct exec_input *input);

/* There is none: its end at once. */
void exec_input_none(struct exec_input *input);

/*
 * The command takes no more of it, so that whoever writes it is to learn that. lost: what to say of one that should
 * have, or NULL.
 */
void exec_input_refuse(struct exec_input *input, const char *lost);

/* Watches it while it may be read. */
void exec_input_watch(struct exec_input *input);

#endif
