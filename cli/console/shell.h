/*
 * The one shell that the console has in the guest: a session that lives as long as the console, in which
 * a shell waits at its own prompt for what is typed, as from anybody. Its prompts are marks that say
 * whether it wants a command or more of one, how the last ended and in which folder it is. One that is kept
 * outlives its connection, and goes on at the same byte by another one.
 */
#ifndef MSB_CONSOLE_SHELL_H
#define MSB_CONSOLE_SHELL_H

#include <limits.h>

#include "marks.h"
#include "side.h"
#include "starter.h"
#include "typed.h"

enum shell_state {
	SHELL_NONE,
	SHELL_STARTING, /* nothing that it prints is of a line of ours */
	SHELL_READY,	/* at its prompt */
	SHELL_MORE,	/* at its prompt for more of a command */
	SHELL_READING,	/* lines are on their way to it */
	SHELL_RUNNING,	/* what it prints is a command's, and keys are for that */
};

/* Whoever sees what runs in it. */
struct shell_sink {
	void *owner;
	void (*on_output)(void *owner, const char *data, size_t len);
	void (*on_running)(void *owner); /* keys and output are the command's now */
	void (*on_more)(void *owner);	 /* it wants more of a command */
};

struct shell {
	enum shell_state state;
	struct remote remote;
	struct loop *loop; /* not owned */
	const struct opts *opts;
	bool keeps;	  /* it goes on without its connection */
	uint64_t hold_ms; /* for which its output waits then */
	bool away;	  /* it has none, or has not been heard of by the new one */
	int failure;	  /* enum msg_failure, why it could not be started; -1: something else */
	struct marks marks;
	struct typed typed;
	struct buf lines;	  /* that it is to be given, each with its newline */
	struct buf unsent;	  /* of what was typed */
	unsigned due;		  /* lines that it was given, and for which no prompt came */
	size_t line_len;	  /* of the last of them */
	unsigned ahead;		  /* lines that were typed while a command ran */
	bool loses_prompts;	  /* the last line may give it others */
	bool diverts;		  /* the same, since its stderr goes elsewhere */
	bool at_prompt;		  /* when that came */
	bool interrupted;	  /* by a Ctrl-C that has no prompt yet */
	bool inside;		  /* the last prompt wanted more */
	bool has_begin;		  /* it says when a command begins */
	bool keys;		  /* were sent that may still stand in the terminal */
	bool restoring, restored; /* the modes for a line's command: busybox */
	bool echoes;		  /* with those modes the terminal does */
	char modes[256];	  /* as stty has them */
	char *last_mark;	  /* owned: of busybox, which repeats them in long lines */
	struct side stty, probe;
	struct loop_timer begins; /* no mark came, so that a command runs */
	struct loop_timer strays; /* lines that were read by a command have no prompt */
	struct loop_timer breaks; /* armed: there was no memory for something of it */
	uint64_t began_us;

	int status;	  /* of the last command */
	uint64_t took_us; /* the same */
	enum shell_kind kind;
	bool root;
	char user[64], host[64], home[256];
	char cwd[PATH_MAX];
	char *path;	/* owned: the shell's $PATH, or NULL */
	char said[256]; /* the last that it said before it was ready */

	struct shell_sink sink;
	void *owner;
	void (*on_ready)(void *owner); /* it wants a command */
	/* The shell is gone: its status, or the signal that killed it. */
	void (*on_gone)(void *owner, int code, int signal);
	void (*on_failed)(void *owner, const char *why); /* it could not be started */
	/* There was no memory for something that it was told or has said: it is to be let go. */
	void (*on_broken)(void *owner, struct shell *shell);
	/* By shell_resume(): it goes on, but so many bytes of what it printed are gone; or it is no more. */
	void (*on_back)(void *owner, uint64_t missed);
	void (*on_forgotten)(void *owner, const char *why);
};

/*
 * The callbacks, the sink and the loop must be set. opts: user, folder, environment, limits, which must live as
 * long. command: the shell, or NULL for the guest's. 0 or -errno with *err filled.
 */
int shell_start(struct shell *shell, struct client *client, const struct opts *opts,
		const char *command, const struct remote_terms *terms, struct err *err);
void shell_release(struct shell *shell);

/*
 * Its connection is lost: whether it goes on without. Then what it is given waits, until it has another
 * connection and on_back() was called. The first is legal again and again.
 */
bool shell_suspend(struct shell *shell);
int shell_resume(struct shell *shell, struct client *client, struct err *err);

/* Lines that have waited since then are not given any more. */
void shell_forget_lines(struct shell *shell);

/* Types that, a line or several. Only in SHELL_READY and SHELL_MORE. 0 or -ENOMEM, -ENOBUFS. */
int shell_run(struct shell *shell, const char *text);

/* Keys for what runs. */
void shell_keys(struct shell *shell, const char *keys, size_t len);

/* It has lost our prompts to others, at which it is: types them anew. Only while it is thought to run. */
void shell_set_prompts(struct shell *shell);

/* Ctrl-C for whatever it does, without keys that a command would read: at its prompt it is there again. */
void shell_interrupt(struct shell *shell);

/* Ctrl-D at its prompt. */
void shell_eof(struct shell *shell);

#endif
