/* A number of bytes as people write it on a command line. Pure. */
#ifndef MSB_SIZE_H
#define MSB_SIZE_H

#include <stdint.h>

#include "err.h"

/*
 * A decimal number, with K, M, G or T behind it for powers of 1024. 0, or -EINVAL with *err filled.
 */
int size_parse(const char *text, uint64_t *ret_bytes, struct err *err);

/* The same of memory that something is to run in, which 0 is not: a uint64_t, for an option. */
int size_parse_memory(const char *text, void *ret_bytes, struct err *err);

#endif
