/* Standard input and output as the stream of one client. */
#ifndef MSB_STDIO_H
#define MSB_STDIO_H

#include "shared/err.h"

/*
 * Takes them over, and leaves /dev/null in their place. They may be one socket: then in and out are
 * the same descriptor. The caller owns both. 0, or -errno with *err filled.
 */
int stdio_take(int *ret_in, int *ret_out, struct err *err);

/* What we share them with finds their flags as they were. Idempotent; harmless when none was taken. */
void stdio_give_back(void);

#endif
