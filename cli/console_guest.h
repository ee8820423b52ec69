/*
 * What the console says to the guest's shell: the functions that it is given at the start, the
 * line that it reads for each line of ours, and that line as data. Pure.
 *
 * Between lines the shell waits for commands as it would from anybody. It is sent GUEST_RUN; a
 * function says mark i and reads the data, which is inert if anything but the function should
 * read it, in steps, each but the first after a mark c; mark s comes before the first byte of
 * output, and mark e behind the last.
 */
#ifndef MSB_CONSOLE_GUEST_H
#define MSB_CONSOLE_GUEST_H

#include <stdbool.h>

#include "../shared/buf.h"

/* Runs the data that follows in the shell itself, not in a function, where declare would be local. */
#define GUEST_RUN_TTY	 " __msb_in;eval \"$__msb_t\";{ __msb_out;} 2>/dev/null\n"
#define GUEST_RUN_SCRIPT " __msb_in;command eval \"$__msb_t\" </dev/null 9>&-;__msb_out\n"

/* Asks for mark e where an interrupted line did not come to it. */
#define GUEST_ASK " { __msb_out;} 2>/dev/null\n"

/* Programs that become the guest's shell, as arguments of /bin/sh -c. */
#define GUEST_START_TTY	   "command -v bash >/dev/null 2>&1&&exec bash --noediting -i;exec /bin/sh -i"
#define GUEST_START_SCRIPT "command -v bash >/dev/null 2>&1&&exec bash -s;exec /bin/sh -s"

/* The functions. status: what $? is to be in the first line. 0 or -ENOMEM, -ENOBUFS. */
int guest_put_functions(struct buf *out, const char *nonce, bool tty, int status);

/*
 * The line of the data at which the function says mark c, and the rest is sent then. A terminal that
 * is sent more than its output has room for repeats it late, behind the marks.
 */
#define GUEST_STEP "#c\n"

/* A line, or several, as data, with a step every 4 KiB at most. 0 or -ENOMEM, -ENOBUFS. */
int guest_put_text(struct buf *out, const char *text);

#endif
