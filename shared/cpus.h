/* A share of the processors as people write it on a command line. Pure. */
#ifndef MSB_CPUS_H
#define MSB_CPUS_H

#include "err.h"

/*
 * A decimal number of processors, such as 2 or 0.5, from 0.01: a uint64_t in thousandths. 0, or -EINVAL with
 * *err filled.
 */
int cpus_parse(const char *text, void *ret_millis, struct err *err);

#endif
