/*
 * Lines without a prompt: what msb-exec --console does with -c, with -f and where stdin is no terminal. A
 * shell of the guest reads them as its own file while they come, and stops at the first that fails.
 */
#ifndef MSB_SCRIPT_H
#define MSB_SCRIPT_H

#include "exec.h"

struct script {
	struct exec *exec; /* not owned, as are the options */
	const struct opts *opts;
	struct opts command; /* the options of the shell, which borrow the former's */
	char *argv[8];
	char *argument;	       /* owned: all lines, where they are short, or NULL */
	struct stream in, out; /* what brings the lines, and what takes them to the shell */
	int in_fd, out_fd;     /* theirs, owned; -1: none, or closed */
	struct buf text;       /* that was read and not passed on */
	size_t looked;	       /* so much of it has no newline */
	bool at_end;
	bool waits;    /* for room, or for the parser: no more is read */
	bool began;    /* a line was passed on */
	bool may_fail; /* the last that was is of a command that may */
	struct remote parser;
	bool needs, asks, deaf; /* one is needed; there is one; it has ended */
	struct buf unparsed;	/* lines that it has still to be sent */
	size_t shown;		/* so much of text is among what it was shown, as it stands */
	bool seems_data;	/* the last line that it was shown */
	/* Its prompts: before the first line of text, before the next, and so on. */
	struct buf said;
	size_t unsaid; /* lines that were passed on before it said any */
	bool inside;   /* by the last of its prompts */
	bool goes;     /* what fails from now on, its exec is told */
	int lost;      /* 0, or why a line could not be kept: the errno */
};

/*
 * Opens what brings the lines, and waits for whoever writes a fifo; where lines come from stdin, puts
 * another in its place. 0, or -errno with *err filled.
 */
int script_open(struct script *script, const struct opts *opts, struct err *err);

/*
 * What exec_run() is to be given in their place, with that exec; NULL with *err filled if there is no memory.
 * The script must live as long as it.
 */
const struct opts *script_begin(struct script *script, struct exec *exec, struct loop *loop,
				struct buf_spare *spare, struct err *err);
void script_release(struct script *script);

#endif
