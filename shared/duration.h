/* A length of time as people write it on a command line. Pure. */
#ifndef MSB_DURATION_H
#define MSB_DURATION_H

#include <stdint.h>

#include "err.h"

#define DURATION_INFINITE UINT64_MAX

/*
 * timeout(1)'s durations: a decimal number, with an exponent perhaps, or inf, and s, m, h or d,
 * seconds without; ms too. Rounded up to whole milliseconds, so that what is not 0 stays so; what
 * nobody lives to see is infinite. 0, or -EINVAL with *err filled.
 */
int duration_parse(const char *text, uint64_t *ret_ms, struct err *err);

/* The same of a limit, of which 0 and inf both say that there is none: *ret_ms is none then. */
int duration_limit(const char *text, uint64_t none, uint64_t *ret_ms, struct err *err);

#endif
