/*
 * Where the result goes, one line: a file, which has all of it or is as it was, or a descriptor that was inherited.
 */
#ifndef MSB_RESULT_H
#define MSB_RESULT_H

#include <stddef.h>

#include "shared/err.h"

struct result {
	const char *where; /* as it was told; borrowed */
	int fd;		   /* owned; -1: none */
	/* Of a file, else NULL: what it is until it is whole, and what it is then. Owned. */
	char *unfinished, *path;
};

/* Without a result_open(): nothing is written. */
#define RESULT_NONE ((struct result){.fd = -1})

/*
 * where: a file, or fd:N; it has to stay. To be called before we open descriptors of our own, which N could be, and
 * with SIGPIPE ignored (signals_begin()). A file is made beside the one that it becomes, so that what cannot be
 * written is known now; that one keeps its mode, and its owner as far as we may say so. What is there and is no file,
 * a FIFO or a device, is written as it is, and so is what our stdout or stderr goes to; a FIFO has to have a reader
 * already. Children do not get the descriptor. 0, or -errno with *err filled.
 */
int result_open(struct result *result, const char *where, struct err *err);

/*
 * Writes the line, whole, and makes it the file: once, the last thing. Waits for a reader, but not for ever, nor
 * once a signal waits for us that ends programs. 0, or -errno with *err filled: then the file is as it was.
 */
int result_write(struct result *result, const char *line, size_t len, struct err *err);

/* Removes what is not finished. */
void result_close(struct result *result);

#endif
