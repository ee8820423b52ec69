/*
 * The one shell that the console has in the guest: a session that lives as long as the console,
 * so that folders, variables, functions, options and jobs are kept between lines because it is
 * one shell. It runs a line at a time and tells where its output begins and ends.
 */
#ifndef MSB_CONSOLE_SHELL_H
#define MSB_CONSOLE_SHELL_H

#include <limits.h>

#include "../shared/credit.h"
#include "client.h"
#include "console_marks.h"
#include "opts.h"

enum shell_state {
	SHELL_NONE,
	SHELL_STARTING, /* nothing that it prints is of a line of ours */
	SHELL_READY,
	SHELL_CALLED,	/* GUEST_RUN was sent; mark i is to come */
	SHELL_FED,	/* the line is being sent; mark s is to come */
	SHELL_RUNNING,	/* what it prints is the line's */
	SHELL_ASKED,	/* the line was interrupted; GUEST_ASK was sent */
	SHELL_SETTLING, /* mark e has come: the shell may still say something about its jobs */
};

struct shell {
	enum shell_state state;
	struct client *client; /* not owned */
	struct loop *loop;
	bool tty;
	uint32_t id;
	uint32_t pid;	  /* in the guest; 0 until it runs */
	bool interrupted; /* Ctrl-C was sent before the line ran */
	bool typed;	  /* keys were sent that the last line may not have read */
	bool missed;	  /* they stood before our call and spoilt it */
	bool ended;	  /* stdin was closed */
	bool prompts;	  /* the last prompt that was waited for came, late or not */
	struct marks marks;
	struct credit input;
	struct credit_account output;
	struct buf feed; /* for its stdin */
	struct buf data; /* the rest of the line, for after the next mark c */
	struct buf echo; /* what its terminal will repeat of what we sent */
	char *line;	 /* owned: what is to be run */
	struct loop_timer settle;
	uint64_t began_us;

	int status;	  /* of the last line */
	uint64_t took_us; /* the same */
	bool bash, root;
	char user[64], host[64], home[256];
	char cwd[PATH_MAX];
	char *path; /* owned: the shell's $PATH */

	void *owner;
	void (*on_output)(void *owner, enum msg_type stream, const char *data, size_t len);
	void (*on_started)(void *owner); /* the line's own output begins */
	void (*on_ready)(void *owner);	 /* a line has ended; the next may come */
	/* The shell is gone: its status, or the signal that killed it. */
	void (*on_gone)(void *owner, int code, int signal);
	void (*on_failed)(void *owner, int status, const char *why); /* it could not be started */
};

/* What the shell is started with. */
struct shell_terms {
	const struct opts *opts; /* user, folder, environment, limits */
	struct msg_exec_resize size;
	int status;	  /* what $? begins with */
	const char *term; /* what TERM is to be; NULL: ours */
};

/* The callbacks, loop and client must be set. 0 or -errno with *err filled. */
int shell_start(struct shell *shell, uint32_t id, bool tty, const struct shell_terms *terms,
		struct err *err);
void shell_release(struct shell *shell);

/* Runs a line, or several that belong together. Only in SHELL_READY. 0 or -ENOMEM. */
int shell_run(struct shell *shell, const char *line);

/* Keys for what runs. Before it runs only Ctrl-C is one. */
void shell_keys(struct shell *shell, const char *keys, size_t len);
void shell_resize(struct shell *shell, const struct msg_exec_resize *size);
void shell_signal(struct shell *shell, int signal);

/* What it was sent goes before the next frame, as far as its credit lets it. */
void shell_flush(struct shell *shell);

/* Closes its stdin: it ends, with the status of its last line. */
void shell_end(struct shell *shell);

/* Takes a frame of its session. */
void shell_on_frame(struct shell *shell, const struct msg_envelope *envelope);

/* After each batch: what may be sent is. waiting: bytes of its output that nobody took yet. */
void shell_on_turn(struct shell *shell, size_t waiting);

#endif
