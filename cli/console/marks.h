/*
 * The marks in the prompts of the guest's shell, in the midst of what its commands print. A mark is RS, a
 * nonce that no command knows, a letter, a text, RS, the nonce, a full stop. Pure.
 */
#ifndef MSB_CONSOLE_MARKS_H
#define MSB_CONSOLE_MARKS_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/buf.h"

#define MARK_EDGE      '\036'
#define MARK_FIELD     '\037' /* between the fields of a mark's text */
#define MARK_NONCE_LEN 32
#define MARK_TEXT_MAX  (1024 * 1024)

struct marks {
	char nonce[MARK_NONCE_LEN + 1];
	char tail[1 + MARK_NONCE_LEN + 1]; /* how one ends; begins as one does */
	struct buf held;		   /* what may become a mark */
};

/* What comes out: in the order of the bytes that went in. */
struct marks_sink {
	void *owner;
	void (*on_bytes)(void *owner, const char *data, size_t len);
	/* text is terminated and may be changed. False: it is no mark after all, and nothing is changed. */
	bool (*on_mark)(void *owner, char kind, char *text);
};

/* nonce: MARK_NONCE_LEN characters. */
void marks_init(struct marks *marks, const char *nonce);
void marks_release(struct marks *marks);

/* Takes bytes in pieces of any size. 0 or -ENOMEM, -ENOBUFS. */
int marks_feed(struct marks *marks, const char *data, size_t len, const struct marks_sink *sink);

/* No more comes: what was held back is no mark. */
void marks_end(struct marks *marks, const struct marks_sink *sink);

/* Cuts the next field off a mark's text; an empty one at its end. */
char *mark_field(char **text);

#endif
