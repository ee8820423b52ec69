/*
 * Lines for a shell that reads its terminal without an editor of its own, typed as a person would have to:
 * control characters behind Ctrl-V, and a line that is longer than a terminal keeps in parts, each sent
 * off by Ctrl-D; and the echo of it, which is nobody's output. Pure.
 */
#ifndef MSB_CONSOLE_TYPED_H
#define MSB_CONSOLE_TYPED_H

#include <stdbool.h>

#include "shared/buf.h"

#define TYPED_MAX (64 * 1024 * 1024)

struct typed {
	struct buf echo; /* of what was typed, as far as it has not come yet */
	size_t matched;	 /* so much of its first line has */
	size_t from;	 /* behind so much of it, which was not repeated */
	bool partly;	 /* no more than the end of a line may be repeated */
	bool erased;	 /* what stood before it was erased, and shows that first */
	bool at_once;	 /* it comes before anything else, or not at all */
};

void typed_init(struct typed *typed);
void typed_release(struct typed *typed);

/* The line that begins at text, without its newline: what to send, appended to out. 0 or -ENOMEM, -ENOBUFS. */
int typed_put(struct typed *typed, const char *text, size_t len, struct buf *out);

/*
 * The key that ends a line, or another one that ends reading. echo: what it shows, or NULL; that of Ctrl-C is
 * a shell's at its prompt, and what comes from a command first means that there was none.
 */
int typed_put_key(struct typed *typed, char key, const char *echo, struct buf *out);

/* What stands unfinished in the terminal is to go. */
int typed_put_erase(struct typed *typed, struct buf *out);

/* No more echo is to come: passes on what had only begun like it. */
void typed_forget(struct typed *typed, void *owner,
		  void (*on_bytes)(void *owner, const char *data, size_t len));

/* Passes on what is no echo of ours. All of a line's echo comes in one piece, or it is none. */
void typed_strip(struct typed *typed, const char *data, size_t len, void *owner,
		 void (*on_bytes)(void *owner, const char *data, size_t len));

#endif
